//! `winback config check --live` names each missing right, and leaves nothing behind.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

use winback_testkit::Kafka;
use winback_tests::Shop;
use winback_tests::carts::POLICY;
use winback_tests::shop::run;

const AUTHORIZER: &str = "
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
allow.everyone.if.no.acl.found=true
";

#[test]
fn each_missing_right_is_named() {
    let kafka = Kafka::with(AUTHORIZER).unwrap();
    let shop = Shop::open_on(kafka, POLICY, &[], &[]).unwrap();
    let check = || run(&mut shop.command(&["config", "check", "--live"]).unwrap()).unwrap();
    let (code, out, err) = check();
    assert_eq!(code, 0, "{out}{err}");
    for right in [
        "Read on topic winback.raw",
        "Write on topic winback.decisions",
        "Read on group winback.sessions",
        "rehearsal",
    ] {
        assert!(out.contains(right), "{right}: {out}");
    }
    assert!(!out.contains("Write on topic winback.raw"), "{out}");
    // Asking twice finds the same: nothing was written, nothing was committed anew.
    assert_eq!(check().1, out);
    let acl = |arguments: &[&str]| {
        let mut all = vec!["--add"];
        all.extend(arguments);
        shop.kafka
            .tool("org.apache.kafka.tools.AclCommand", &all)
            .unwrap();
    };
    let topic = ["--topic", "winback.decisions"];
    acl(&[
        &["--allow-principal", "User:*", "--operation", "Read"],
        &["--operation", "DescribeConfigs"][..],
        &topic,
    ]
    .concat());
    acl(&[
        "--allow-principal",
        "User:*",
        "--operation",
        "Write",
        "--topic",
        "winback.outcomes",
    ]);
    acl(&[
        "--allow-principal",
        "User:*",
        "--operation",
        "Describe",
        "--group",
        "winback.evaluator",
    ]);
    let (code, out, err) = check();
    assert_eq!(code, 1, "{out}{err}");
    let wrong: Vec<&str> = out
        .lines()
        .filter(|line| line.starts_with("wrong"))
        .collect();
    let names = |right: &str| wrong.iter().any(|line| line.contains(right));
    assert_eq!(wrong.len(), 3, "{wrong:?}");
    assert!(names("Write on topic winback.decisions"), "{wrong:?}");
    assert!(names("Read on topic winback.outcomes"), "{wrong:?}");
    assert!(names("Read on group winback.evaluator"), "{wrong:?}");
}
