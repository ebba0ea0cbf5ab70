//! The provider that writes mails to files: for the first day, for shadow campaigns, for the demo.

use std::path::{Path, PathBuf};

use async_trait::async_trait;

use super::{Deadline, Provider, SendResult};
use crate::compose::RenderedMessage;

/// Writes one `.html` and one `.txt` file per message into a folder of its campaign.
#[derive(Debug, Clone)]
pub struct FileProvider {
    folder: PathBuf,
}

impl FileProvider {
    /// Files go under `folder`, which is made when first needed.
    pub fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
        }
    }
}

/// The name of a message's files: its id.
pub fn file_name(mail: &RenderedMessage) -> &str {
    let id = mail.message_id.trim_start_matches('<');
    id.split('@').next().unwrap_or_default()
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[async_trait]
impl Provider for FileProvider {
    fn name(&self) -> &'static str {
        "file"
    }

    async fn send(&self, mail: &RenderedMessage, _: Deadline) -> SendResult {
        let base = self.folder.join(&mail.label).join(file_name(mail));
        let head = format!(
            "<!-- Message-ID: {} --><div style=\"font:13px monospace;padding:12px;background:#eee;color:#222\">To: {}<br>From: {}<br>Subject: {}</div>\n",
            escape(&mail.message_id),
            escape(&mail.to),
            escape(&mail.from),
            escape(&mail.subject)
        );
        let write = async {
            if let Some(parent) = base.parent() {
                tokio::fs::create_dir_all(parent).await?;
            }
            if !mail.html.is_empty() {
                tokio::fs::write(base.with_extension("html"), format!("{head}{}", mail.html))
                    .await?;
            }
            tokio::fs::write(base.with_extension("txt"), &mail.text).await
        };
        match write.await {
            Ok(()) => SendResult::Accepted { provider_id: None },
            Err(error) => SendResult::not_now(format!("file: {}", error.kind())),
        }
    }
}
