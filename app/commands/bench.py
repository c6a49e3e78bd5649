"""`stunity bench`: figures against their ceilings, on this machine, in this run."""

from __future__ import annotations

from collections.abc import Callable
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
    group.command("feed")(feed)
    group.command("graph")(graph)
    group.command("capture")(capture)
    group.command("search")(search)
    group.command("rebuild")(rebuild)
    app.add_typer(group, name="bench")


def relay(
    events: Annotated[int, typer.Option(min=1000, help="Size of the backlog.")] = 200_000,
    rows: Annotated[int, typer.Option(min=1, help="Events per transaction.")] = 1,
    payload: Annotated[int, typer.Option(min=12, help="Rough bytes of text per event.")] = 380,
    rounds: Annotated[int, typer.Option(min=1, help="The medians of so many rounds count.")] = 5,
    mode: Annotated[str, typer.Option(help="wal or poll.")] = "wal",
    suite: Annotated[
        bool, typer.Option("--suite", help="Larger transactions and larger events as well.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Events per second through a backlog, against the bare WAL, an unguarded loop and Debezium."""
    from app.bench import relay as bench
    from app.bench.report import publish
    from app.bench.servers import servers

    console = Console(stderr=True)
    with servers() as on:
        result = bench.measure(
            on,
            mode=mode,
            shape=bench.Shape(events, rows, payload),
            rounds=rounds,
            say=console.print,
            suite=suite,
        )
    publish(f"relay-{mode}", result, as_json=as_json)


def latency(
    part: Annotated[
        str, typer.Option(help="relay: commit to stream; views: commit to each view; all.")
    ] = "all",
    relay_rates: Annotated[
        str, typer.Option(help="Events per second for the relay alone, one run each, separated by commas.")
    ] = "100,1000,5000",
    rates: Annotated[
        str, typer.Option(help="Posts per second for the whole stack, one run each, separated by commas.")
    ] = "20,100",
    seconds: Annotated[float, typer.Option(min=3, help="Length of each run.")] = 10.0,
    as_json: Json = False,
) -> None:
    """From commit to the stream (both modes), and from commit to each view on a whole stack: p50, p95, p99."""
    from app.bench.report import publish

    say = Console(stderr=True).print
    result: dict[str, object] = {}
    if part in ("relay", "all"):
        from app.bench import commit_to_stream

        result["relay"] = commit_to_stream.measure_all(
            [int(rate) for rate in relay_rates.split(",")], seconds, say=say
        )
    if part in ("views", "all"):
        result["views"] = _views_latency([float(rate) for rate in rates.split(",")], seconds, say)
    publish("latency", result, as_json=as_json)


def _views_latency(rates: list[float], seconds: float, say: Callable[..., None]) -> dict[str, object]:
    import asyncio

    from app.bench import latency as bench
    from app.stack.own import own_stack

    with own_stack() as stack:
        stack.run("seed", "--users", "60", "--posts", "100", "--views", "200", "--follows", "200")
        runs = [asyncio.run(bench.measure(stack.env, rate=rate, seconds=seconds, say=say)) for rate in rates]
    return {f"at_{run['rate']:g}_per_s": run for run in runs}


def analytics(
    views: Annotated[
        int, typer.Option(min=50_000, help="Views over 90 days; a fifth are of one post.")
    ] = 10_000_000,
    posts: Annotated[int, typer.Option(min=100, help="Posts.")] = 20_000,
    people: Annotated[int, typer.Option(min=100, help="People who look.")] = 50_000,
    ingest: Annotated[
        int | None, typer.Option(help="How many of the views go through the projection.")
    ] = None,
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
        str | None,
        typer.Option(
            help="Size of the network, 100,000, or 1,000 for --quality; several one after the other, by commas."
        ),
    ] = None,
    short: Annotated[bool, typer.Option("--short", help="Posts of two sentences, quickly written.")] = False,
    seconds: Annotated[float, typer.Option(min=1, help="For how long it is asked.")] = 30.0,
    rate: Annotated[float, typer.Option(min=1, help="Questions per second.")] = 50.0,
    writes: Annotated[float, typer.Option(min=0, help="New posts per second meanwhile.")] = 100.0,
    as_json: Json = False,
) -> None:
    """Indexing against the import API alone, and questions through the API; or recall of every way to index."""
    import uvloop

    from app.bench.quality.measure import measure as how_well
    from app.bench.report import publish
    from app.bench.search.measure import Load, compared, measure
    from app.bench.servers import search_servers

    say = Console(stderr=True).print
    usual = "1000" if quality else "100000"
    sizes = _numbers(usual if posts is None else posts, least=100)
    runs = []
    for size in sizes:
        with search_servers() as on:
            if quality:
                runs.append(uvloop.run(how_well(on, posts=size, say=say)))
            else:
                load = Load(posts=size, short=short, seconds=seconds, rate=rate, writes=writes)
                runs.append(uvloop.run(measure(on, load, say)))
    result = runs[0] if len(runs) == 1 else {str(size): run for size, run in zip(sizes, runs, strict=True)}
    if len(runs) > 1 and not quality:
        result["compared"] = compared(runs)
    publish("search-quality" if quality else "search", result, as_json=as_json)


def feed(
    users: Annotated[int, typer.Option(min=100, help="People of the network.")] = 2_000,
    posts: Annotated[int, typer.Option(min=100, help="Posts of it.")] = 20_000,
    follows: Annotated[int, typer.Option(min=0, help="Follows of it.")] = 50_000,
    viewers: Annotated[int, typer.Option(min=2, help="How many of them read.")] = 300,
    rate: Annotated[float, typer.Option(min=1, help="Pages per second.")] = 20.0,
    writes: Annotated[float, typer.Option(min=0, help="New posts per second in the last part.")] = 2.0,
    seconds: Annotated[float, typer.Option(min=1, help="Length of each part.")] = 20.0,
    as_json: Json = False,
) -> None:
    """A feed's first page, the same again, one that has not changed; without Redis; upstream's own queries."""
    import uvloop

    from app.bench import feed as bench
    from app.bench.report import publish
    from app.bench.servers import servers

    load = bench.Load(users, posts, follows, viewers, rate, seconds, writes)
    with servers() as on:
        result = uvloop.run(bench.measure(on, load, Console(stderr=True).print))
    publish("feed", result, as_json=as_json)


def graph(
    users: Annotated[int, typer.Option(min=100, help="People of the network.")] = 50_000,
    follows: Annotated[int, typer.Option(min=100, help="Follows of it.")] = 500_000,
    viewers: Annotated[int, typer.Option(min=2, help="How many of them ask.")] = 500,
    rate: Annotated[float, typer.Option(min=1, help="Questions per second.")] = 20.0,
    seconds: Annotated[float, typer.Option(min=1, help="For how long they are asked.")] = 20.0,
    as_json: Json = False,
) -> None:
    """Whom to follow, through the API and as SQL alone, against the plan's own statement and its 50 ms."""
    import uvloop

    from app.bench import graph as bench
    from app.bench.report import publish
    from app.bench.servers import servers

    load = bench.Load(users, follows, viewers, rate, seconds)
    with servers() as on:
        result = uvloop.run(bench.measure(on, load, Console(stderr=True).print))
    publish("graph", result, as_json=as_json)


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

    counts = _numbers(clients)
    with servers() as on:
        result = bench.measure(
            on.database_url, clients=counts, seconds=seconds, rounds=rounds, say=Console(stderr=True).print
        )
    publish("capture", result, as_json=as_json)


def rebuild(
    view: Annotated[
        list[str] | None,
        typer.Option(help="search, embeddings or analytics, may be repeated; all by default."),
    ] = None,
    posts: Annotated[
        str, typer.Option(help="Posts, and for analytics views of posts; one run each, separated by commas.")
    ] = "10000,100000",
    as_json: Json = False,
) -> None:
    """Whole rebuilds against the store alone with the same things, and how soon `verify` names one lost document."""
    from app.bench.rebuild.measure import VIEWS, measure
    from app.bench.report import publish
    from runtime import logs

    logs.configure("ERROR")
    if unknown := set(view or ()) - set(VIEWS):
        raise typer.BadParameter(f"{', '.join(sorted(unknown))}: there are {', '.join(VIEWS)}")
    sizes = _numbers(posts)
    result = measure(view or VIEWS, sizes=sizes, say=Console(stderr=True).print)
    publish("rebuild", result, as_json=as_json)


def _numbers(text: str, *, least: int = 1) -> list[int]:
    """What was typed as numbers, separated by commas."""
    numbers = [int(one) for one in text.split(",") if one.isascii() and one.isdigit()]
    if len(numbers) <= text.count(",") or min(numbers) < least:
        raise typer.BadParameter(f"{text!r}: numbers from {least} on, separated by commas")
    return numbers
