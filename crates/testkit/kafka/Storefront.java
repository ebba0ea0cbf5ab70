import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.Properties;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.StringSerializer;

/** A storefront in Java: every line of stdin, `key TAB json`, becomes a record. Usage: Storefront BOOTSTRAP TOPIC */
public class Storefront {
    public static void main(String[] arguments) throws Exception {
        Properties properties = new Properties();
        properties.put("bootstrap.servers", arguments[0]);
        properties.put("acks", "all");
        properties.put("linger.ms", "0");
        AtomicInteger failed = new AtomicInteger();
        try (var producer = new KafkaProducer<>(properties, new StringSerializer(), new StringSerializer());
             var lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8))) {
            for (String line; (line = lines.readLine()) != null; ) {
                int tab = line.indexOf('\t');
                var record = new ProducerRecord<>(arguments[1], line.substring(0, tab), line.substring(tab + 1));
                producer.send(record, (place, error) -> {
                    if (error != null) { failed.incrementAndGet(); System.err.println("not sent: " + error); }
                });
            }
        }
        System.exit(failed.get() == 0 ? 0 : 1);
    }
}
