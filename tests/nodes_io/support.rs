//! What the tests of sources and sinks share.

use ezrun::message::{Buffer, Capture, Metadata, Owned, TensorSpec};
use ezrun::node::testing::Harness;
use ezrun::node::{Flow, InputId};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::TempDir;

/// A folder that stands for that of a graph file.
pub struct Folder(TempDir);

impl Folder {
    pub fn new() -> Self {
        Folder(TempDir::new().unwrap())
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        std::fs::write(self.file(name), content).unwrap();
    }

    pub fn text(&self, name: &str) -> String {
        String::from_utf8(self.bytes(name)).unwrap()
    }

    pub fn bytes(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.file(name)).unwrap()
    }

    /// What a source sends until it ends or fails, and its error.
    pub fn produce(&self, node_type: &str, settings: Value) -> (Vec<Owned>, Result<(), String>) {
        let mut node = node(node_type, settings);
        let outcome = node.start(self.path()).and_then(|()| {
            loop {
                if node.produce(1)? != Flow::Continue {
                    break node.stop();
                }
            }
        });
        (node.sent(0), outcome.map_err(|e| format!("{e:#}")))
    }

    /// What a source sends that ends well.
    pub fn produced(&self, node_type: &str, settings: Value) -> Vec<Owned> {
        let (sent, outcome) = self.produce(node_type, settings);
        outcome.unwrap();
        sent
    }

    /// The error of a source.
    pub fn source_error(&self, node_type: &str, settings: Value) -> String {
        self.produce(node_type, settings).1.unwrap_err()
    }

    /// Hands messages to a sink; every second one as a read-only view, since a sink must take both alike.
    pub fn sink(&self, node_type: &str, settings: Value, messages: &[Owned]) -> Result<(), String> {
        let mut node = node(node_type, settings);
        let outcome = node.start(self.path()).and_then(|()| {
            for (i, message) in messages.iter().enumerate() {
                if i % 2 == 0 {
                    node.show(InputId(0), message)?
                } else {
                    node.send(InputId(0), message.clone())?
                };
            }
            node.stop()
        });
        outcome.map_err(|e| format!("{e:#}"))
    }
}

/// A node of a built-in type.
pub fn node(node_type: &str, settings: Value) -> Harness {
    let registry = ezrun::nodes::registry();
    let node_type = registry.get(node_type).unwrap_or_else(|| panic!("no node type {node_type}"));
    Harness::new(node_type, settings).unwrap_or_else(|e| panic!("the settings are refused: {e}"))
}

/// Why a type refuses settings: the setting at fault and the message.
pub fn refusal(node_type: &str, settings: Value) -> (Option<String>, String) {
    let registry = ezrun::nodes::registry();
    let error = Harness::new(registry.get(node_type).unwrap(), settings).err().expect("the settings are refused");
    (error.setting, error.message)
}

/// A message of plain bytes.
pub fn bytes(payload: &[u8]) -> Owned {
    Owned::new(Arc::new(Metadata::bytes()), Buffer::from_slice(payload), Capture::stream_seconds(0.0))
}

/// A tensor that was captured at `seconds`.
pub fn tensor<T: ezrun::message::Element>(spec: TensorSpec, seconds: f64, values: &[T]) -> Owned {
    let bytes = values.iter().flat_map(|v| ezrun_bytes(v)).collect::<Vec<u8>>();
    let metadata = Arc::new(Metadata::tensor(spec));
    Owned::new(metadata, Buffer::from_slice(&bytes), Capture::stream_seconds(seconds))
}

fn ezrun_bytes<T: ezrun::message::Element>(value: &T) -> Vec<u8> {
    bytemuck::bytes_of(value).to_vec()
}

/// All elements of all messages, as `f64`.
pub fn values(messages: &[Owned]) -> Vec<f64> {
    messages.iter().flat_map(|m| m.tensor().unwrap().to_f64()).collect()
}
