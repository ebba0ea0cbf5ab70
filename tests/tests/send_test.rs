//! `winback send-test`: one real message that nothing remembers, and what it says where it can't be sent.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

use std::process::Command;

use winback_testkit::files::Folder;
use winback_testkit::{Behaviour, Smtp};
use winback_tests::{binary, carts, run};

fn folder() -> Folder {
    let folder = Folder::new("send-test").unwrap();
    let files = [
        ("policy.yaml", carts::POLICY.to_owned()),
        ("cart/campaign.yaml", carts::campaign("20m")),
        (
            "cart/templates/reminder.email.en.mjml",
            carts::MAIL.to_owned(),
        ),
    ];
    for (name, text) in files {
        folder.write(&format!("campaigns/{name}"), &text).unwrap();
    }
    folder
}

fn sends(folder: &Folder, port: u16, arguments: &[&str]) -> (i32, String, String) {
    let campaigns = folder.path().join("campaigns").display().to_string();
    let mut command = Command::new(binary().unwrap());
    command
        .args([
            "send-test",
            "cart",
            "--to",
            "ann@example.com",
            "--campaigns",
            &campaigns,
        ])
        .args(arguments)
        .current_dir(folder.path())
        .env("WINBACK__DISPATCH__PROVIDER", "smtp")
        .env("WINBACK__DISPATCH__SMTP__HOST", "127.0.0.1")
        .env("WINBACK__DISPATCH__SMTP__PORT", port.to_string());
    run(&mut command).unwrap()
}

#[test]
fn one_message_goes_out_and_says_that_it_is_a_test() {
    let (folder, server) = (folder(), Smtp::start().unwrap());
    let (code, out, errors) = sends(&folder, server.port(), &["--step", "reminder"]);
    assert_eq!(code, 0, "{out}{errors}");
    let received = server.received();
    assert_eq!(received.len(), 1);
    assert_eq!(received[0].to, "ann@example.com");
    let subject = received[0].header("subject").unwrap_or_default();
    assert!(subject.starts_with("[test] "), "{subject}");
    server.behave(Behaviour::NoSuchUser);
    let (code, _, errors) = sends(&folder, server.port(), &["--step", "reminder"]);
    assert_eq!(code, 1, "{errors}");
    assert!(
        errors.contains("smtp refuses it") && !errors.contains("ann@"),
        "{errors}"
    );
}

#[test]
fn what_is_not_there_is_named() {
    let (folder, server) = (folder(), Smtp::start().unwrap());
    for (arguments, says) in [
        (&["--step", "nothing"][..], "there is no step `nothing`"),
        (
            &["--step", "reminder", "--locale", "de"],
            "no text for email in `de`",
        ),
        (
            &["--step", "reminder", "--channel", "sms"],
            "no text for sms",
        ),
        (
            &["--step", "reminder", "--channel", "pigeon"],
            "channels are email",
        ),
    ] {
        let (code, out, errors) = sends(&folder, server.port(), arguments);
        assert_eq!(code, 2, "{out}{errors}");
        assert!(errors.contains(says), "{errors}");
    }
    assert!(server.received().is_empty());
}
