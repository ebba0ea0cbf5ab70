//! The mails of a demo at a glance: one `index.html` over the files that the file provider writes.
//!
//! It only listens to what is sent. Nothing here decides anything, and nothing but files of this machine is linked.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use jiff::tz::TimeZone;
use winback_contract::{JourneyRecord, Timestamp, Transition};
use winback_dispatch::{Deadline, FileProvider, Provider, RenderedMessage, SendResult};

use super::page::escape;
use super::report::moment;

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;color:#222;max-width:1040px;margin:2rem auto;padding:0 1rem}\
table{border-collapse:collapse;width:100%;font-size:.9rem}th,td{text-align:left;padding:.35rem .5rem;border-bottom:1px solid #ddd}\
td:first-child{white-space:nowrap;color:#555}a{color:#0059a8}.wide{overflow-x:auto}";

/// A message as the page shows it.
struct Shown {
    label: String,
    to: String,
    title: String,
    file: String,
}

/// See the module.
pub(crate) struct Gallery {
    files: FileProvider,
    folder: PathBuf,
    /// By message id. A demo sends some thousand at most.
    shown: Mutex<BTreeMap<String, Shown>>,
}

impl Gallery {
    /// Files and page go under `folder`.
    pub(crate) fn new(folder: &Path) -> Self {
        Self {
            files: FileProvider::new(folder),
            folder: folder.to_owned(),
            shown: Mutex::default(),
        }
    }

    /// Writes the page, the oldest message first, and tells where it is.
    pub(crate) fn write_index(
        &self,
        records: &[JourneyRecord],
        zone: &TimeZone,
    ) -> std::io::Result<PathBuf> {
        let sent_at = |record: &JourneyRecord| match &record.transition {
            Transition::Sent { message, .. } => Some((message.to_string(), record.at)),
            _ => None,
        };
        let times: BTreeMap<String, Timestamp> = records.iter().filter_map(sent_at).collect();
        let shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        let mut rows: Vec<(Timestamp, &Shown)> = shown
            .iter()
            .filter_map(|(id, one)| times.get(id).map(|at| (*at, one)))
            .collect();
        rows.sort_by(|one, other| (one.0, &one.1.file).cmp(&(other.0, &other.1.file)));
        let mut page = format!(
            "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content=\"width=device-width\"><title>Messages of the demo</title>\
             <style>{STYLE}</style><h1>{} messages</h1><p>Times are the shop's own.</p><div class=wide><table><tr><th>sent</th><th>campaign and step</th><th>to</th><th>subject</th></tr>",
            rows.len()
        );
        for (at, one) in rows {
            // Writing to a String can't fail.
            let _done = write!(
                page,
                "<tr><td>{}</td><td>{}</td><td>{}</td><td><a href=\"{}\">{}</a></td></tr>",
                moment(at, zone),
                escape(&one.label),
                escape(&one.to),
                escape(&one.file),
                escape(&one.title)
            );
        }
        page.push_str("</table></div></html>\n");
        let path = self.folder.join("index.html");
        std::fs::create_dir_all(&self.folder)?;
        std::fs::write(&path, page)?;
        Ok(path)
    }
}

#[async_trait]
impl Provider for Gallery {
    fn name(&self) -> &'static str {
        self.files.name()
    }

    async fn send(&self, mail: &RenderedMessage, deadline: Deadline) -> SendResult {
        let sent = self.files.send(mail, deadline).await;
        let id = winback_dispatch::file_name(mail);
        let (title, extension) = if mail.html.is_empty() {
            (mail.text.chars().take(80).collect(), "txt")
        } else {
            (mail.subject.clone(), "html")
        };
        let shown = Shown {
            label: mail.label.clone(),
            to: mail.to.clone(),
            title,
            file: format!("{}/{id}.{extension}", mail.label),
        };
        self.shown
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(id.to_owned(), shown);
        sent
    }
}
