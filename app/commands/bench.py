"""`stunity bench`: figures against their ceilings, on this machine, in this run."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console

Json = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]


def register(app: typer.Typer) -> None:
    """Add the group."""
    group = typer.Typer(no_args_is_help=True, help="Figures against their ceilings, on servers of their own.")
    group.command("relay")(relay)
    group.command("latency")(latency)
    group.command("embed")(embed)
    group.command("analytics")(analytics)
    group.command("capture")(capture)
    group.command("search")(search)
    app.add_typer(group, name="bench")


def relay(
    events: Annotated[int, typer.Option(min=1000, help="Size of the backlog.")] = 200_000,
    rows: Annotated[int, typer.Option(min=1, help="Events per transaction.")] = 1,
    payload: Annotated[int, typer.Option(min=12, help="Rough bytes of text per event.")] = 380,
    rounds: Annotated[int, typer.Option(min=1, help="The medians of so many rounds count.")] = 5,
    mode: Annotated[str, typer.Option(help="wal or poll.")] = "wal",
    as_json: Json = False,
) -> None:
    """Events per second through a backlog, against the bare WAL, an unguarded loop and Debezium."""
    from app.bench import relay as bench
    from app.bench.report import publish
    from app.bench.servers import servers

    console = Console(stderr=True)
    with servers() as on:
        result = bench.measure(
            on, mode=mode, events=events, rows=rows, payload=payload, rounds=rounds, say=console.print
        )
    publish(f"relay-{mode}", result, as_json=as_json)


def latency(
    rates: Annotated[
        str, typer.Option(help="Posts per second, one run each, separated by commas.")
    ] = "20,100",
    seconds: Annotated[float, typer.Option(min=1, help="Length of each run.")] = 20.0,
    as_json: Json = False,
) -> None:
    """From commit to the stream and to each view, p50/p95/p99, on a whole stack of its own."""
    import asyncio

    from app.bench import latency as bench
    from app.bench.report import publish
    from app.stack.own import own_stack

    console = Console(stderr=True)
    with own_stack() as stack:
        stack.run("seed", "--users", "60", "--posts", "100", "--views", "200", "--follows", "200")
        result = [
            asyncio.run(bench.measure(stack.env, rate=float(rate), seconds=seconds, say=console.print))
            for rate in rates.split(",")
        ]
    publish("latency", {f"at_{run['rate']:g}_per_s": run for run in result}, as_json=as_json)


def analytics(
    views: Annotated[int, typer.Option(min=50_000, help="Views over 90 days; a fifth are of one post.")] = 10_000_000,
    posts: Annotated[int, typer.Option(min=100, help="Posts.")] = 20_000,
    people: Annotated[int, typer.Option(min=100, help="People who look.")] = 50_000,
    ingest: Annotated[int | None, typer.Option(help="How many of the views go through the projection.")] = None,
    rounds: Annotated[int, typer.Option(min=2, help="Reads of each kind.")] = 20,
    as_json: Json = False,
) -> None:
    """Reads against the plan's own SQL and a COUNT on raw rows; the projection with its roll-ups against COPY."""
    from app.bench import analytics as bench
    from app.bench.report import publish
    from app.bench.servers import servers

    size = bench.Size(views, posts, views // 5, people, ingest or min(views // 20, 500_000))
    with servers() as on:
        result = bench.measure(on, size, rounds=rounds, say=Console(stderr=True).print)
    publish("analytics", result, as_json=as_json)


def embed(
    texts: Annotated[int, typer.Option(min=32, help="How many texts of synthetic posts.")] = 512,
    threads: Annotated[int, typer.Option(min=1, help="CPU threads of both.")] = 2,
    rounds: Annotated[int, typer.Option(min=1, help="The medians of so many rounds count.")] = 3,
    as_json: Json = False,
) -> None:
    """Texts per second of the local model, against `SentenceTransformer.encode` as it comes, and the cosine to it."""
    from app.bench import embed as bench
    from app.bench.report import publish
    from runtime import logs

    logs.configure("WARNING")
    result = bench.measure(texts=texts, threads=threads, rounds=rounds, say=Console(stderr=True).print)
    publish("embed", result, as_json=as_json)


def search(
    quality: Annotated[
        bool, typer.Option("--quality", help="How well it finds, by labelled questions, instead of how fast.")
    ] = False,
    posts: Annotated[
        int | None, typer.Option(min=100, help="Size of the network; 100,000, or 1,000 for --quality.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Recall of every way to index, by labelled questions in Khmer and English."""
    import asyncio

    from app.bench.quality.measure import measure
    from app.bench.report import publish
    from app.bench.servers import search_servers

    console = Console(stderr=True)
    with search_servers() as on:
        result = asyncio.run(measure(on, posts=posts or 1_000, say=console.print))
    publish("search-quality", result, as_json=as_json)


def capture(
    clients: Annotated[str, typer.Option(help="Numbers of clients, separated by commas.")] = "1,4,16",
    seconds: Annotated[float, typer.Option(min=1, help="Length of each run.")] = 2.0,
    rounds: Annotated[int, typer.Option(min=1, help="The medians of so many rounds count.")] = 3,
    as_json: Json = False,
) -> None:
    """What triggers, `outbox.emit` and `append` add to a write, against the same table without them."""
    from app.bench import capture as bench
    from app.bench.report import publish
    from app.bench.servers import servers

    counts = [int(count) for count in clients.split(",")]
    with servers() as on:
        result = bench.measure(
            on.database_url, clients=counts, seconds=seconds, rounds=rounds, say=Console(stderr=True).print
        )
    publish("capture", result, as_json=as_json)
