// A yardstick: Debezium's embedded PostgreSQL engine with its outbox event router, each batch one Redis pipeline of XADD.
// It does what Debezium Server with the Redis sink does, without the server, and checks no reply.
// Arguments: EVENTS SLOT PUBLICATION PGPORT PGUSER PGPASSWORD DATABASE REDISPORT OFFSETFILE. Prints events_per_s.
import io.debezium.engine.ChangeEvent;
import io.debezium.engine.DebeziumEngine;
import io.debezium.engine.format.Json;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import redis.clients.jedis.Jedis;
import redis.clients.jedis.Pipeline;
import redis.clients.jedis.params.XAddParams;

public class DebeziumOutbox {
  static long seen = 0;
  static long firstAt = 0;

  public static void main(String[] args) throws Exception {
    long wanted = Long.parseLong(args[0]);
    CountDownLatch done = new CountDownLatch(1);
    Jedis redis = new Jedis("127.0.0.1", Integer.parseInt(args[7]));
    DebeziumEngine<ChangeEvent<String, String>> engine =
        DebeziumEngine.create(Json.class)
            .using(configuration(args))
            .notifying((List<ChangeEvent<String, String>> events,
                    DebeziumEngine.RecordCommitter<ChangeEvent<String, String>> committer) -> {
                  if (seen == 0) firstAt = System.nanoTime();
                  Pipeline pipeline = redis.pipelined();
                  for (ChangeEvent<String, String> event : events)
                    pipeline.xadd("bench:" + event.destination(), XAddParams.xAddParams(),
                        Map.of(String.valueOf(event.key()), String.valueOf(event.value())));
                  pipeline.sync();
                  for (ChangeEvent<String, String> event : events) committer.markProcessed(event);
                  committer.markBatchFinished();
                  seen += events.size();
                  if (seen >= wanted) done.countDown();
                })
            .using((success, message, error) -> {
                  if (error != null) error.printStackTrace();
                  done.countDown();
                })
            .build();
    var thread = Executors.newSingleThreadExecutor();
    thread.execute(engine);
    done.await(240, TimeUnit.SECONDS);
    System.out.printf("events %d events_per_s %d%n", seen, (long) (seen * 1e9 / (System.nanoTime() - firstAt)));
    engine.close();
    System.exit(0);
  }

  static Properties configuration(String[] args) {
    Properties properties = new Properties();
    String[][] pairs = {
      {"name", "bench"},
      {"connector.class", "io.debezium.connector.postgresql.PostgresConnector"},
      {"offset.storage", "org.apache.kafka.connect.storage.FileOffsetBackingStore"},
      {"offset.storage.file.filename", args[8]},
      {"offset.flush.interval.ms", "5000"},
      {"database.hostname", "127.0.0.1"},
      {"database.port", args[3]},
      {"database.user", args[4]},
      {"database.password", args[5]},
      {"database.dbname", args[6]},
      {"topic.prefix", "bench"},
      {"plugin.name", "pgoutput"},
      {"slot.name", args[1]},
      {"publication.name", args[2]},
      {"publication.autocreate.mode", "disabled"},
      {"table.include.list", "outbox.events"},
      {"snapshot.mode", "no_data"},
      {"transforms", "outbox"},
      {"transforms.outbox.type", "io.debezium.transforms.outbox.EventRouter"},
      {"transforms.outbox.table.field.event.key", "key"},
      {"transforms.outbox.table.field.event.payload", "data"},
      {"transforms.outbox.route.by.field", "topic"},
      {"converter.schemas.enable", "false"},
    };
    for (String[] pair : pairs) properties.put(pair[0], pair[1]);
    return properties;
  }
}
