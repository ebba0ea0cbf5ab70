import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Properties;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.StringSerializer;

/**
 * A storefront in Java: every line of stdin, `key TAB json`, becomes a record. Usage: Storefront BOOTSTRAP TOPIC [ID].
 * With a transactional id all lines are one transaction; the same lines follow in another one that is aborted.
 */
public class Storefront {
    public static void main(String[] arguments) throws Exception {
        Properties properties = new Properties();
        properties.put("bootstrap.servers", arguments[0]);
        properties.put("acks", "all");
        properties.put("linger.ms", "0");
        properties.put("max.request.size", String.valueOf(16 << 20));
        boolean transactional = arguments.length > 2;
        if (transactional) { properties.put("transactional.id", arguments[2]); }
        var sent = new ArrayList<ProducerRecord<String, String>>();
        AtomicInteger failed = new AtomicInteger();
        try (var producer = new KafkaProducer<>(properties, new StringSerializer(), new StringSerializer());
             var lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8))) {
            if (transactional) { producer.initTransactions(); producer.beginTransaction(); }
            for (String line; (line = lines.readLine()) != null; ) {
                int tab = line.indexOf('\t');
                var record = new ProducerRecord<>(arguments[1], line.substring(0, tab), line.substring(tab + 1));
                producer.send(record, (place, error) -> {
                    if (error != null) { failed.incrementAndGet(); System.err.println("not sent: " + error); }
                });
                if (transactional) { sent.add(record); }
            }
            if (transactional) {
                producer.commitTransaction();
                producer.beginTransaction();
                for (var record : sent) { producer.send(record); }
                producer.flush();
                producer.abortTransaction();
            }
        }
        System.exit(failed.get() == 0 ? 0 : 1);
    }
}
