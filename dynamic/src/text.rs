//! [`Text`]: JSON as it is written, on one line or on several.

use std::io::Write as _;
use std::ops::Range;

use rmpv::Value;
use zsvc_proto::codec::DecodeError;

/// JSON that is being written.
#[derive(Debug)]
pub(crate) struct Text {
    bytes: Vec<u8>,
    pretty: bool,
    /// Number of lists and objects that are open.
    depth: usize,
    max: usize,
    /// Whether what is written is dropped, but for what is [held](Text::hold).
    is_dropped: bool,
    held: usize,
}

impl Text {
    pub(crate) fn new(pretty: bool, max: usize) -> Self {
        Self { bytes: Vec::new(), pretty, depth: 0, max, is_dropped: false, held: 0 }
    }

    /// Creates what drops the text: the value is to be read, and its JSON is not wanted.
    pub(crate) fn dropped() -> Self {
        Self { is_dropped: true, ..Self::new(false, usize::MAX) }
    }

    /// Reports whether what is written now is dropped.
    pub(crate) fn is_dropped(&self) -> bool {
        self.is_dropped && self.held == 0
    }

    /// Has what is written kept until [`Text::release`].
    pub(crate) fn hold(&mut self) {
        self.held += 1;
    }

    /// Ends what [`Text::hold`] has begun, at a position of then.
    pub(crate) fn release(&mut self, position: usize) {
        self.held -= 1;
        if self.is_dropped() {
            self.bytes.truncate(position);
        }
    }

    /// Returns the text.
    pub(crate) fn finish(self) -> String {
        // Only `serde_json` and this module have written to it, and both write UTF-8.
        String::from_utf8(self.bytes).unwrap_or_default()
    }

    /// Returns the number of bytes written so far.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Returns what was written since a position.
    pub(crate) fn since(&self, position: usize) -> &[u8] {
        &self.bytes[position..]
    }

    /// Keeps, of all entries of the object that is open, those at these positions, in this order. `start`: where the first entry began.
    pub(crate) fn keep(&mut self, start: usize, entries: &[Range<usize>]) {
        let written = self.bytes.split_off(start);
        for (index, entry) in entries.iter().enumerate() {
            if index > 0 {
                self.bytes.push(b',');
            }
            self.line();
            self.bytes.extend_from_slice(&written[entry.start - start..entry.end - start]);
        }
    }

    /// Returns the number of lists and objects that are open.
    pub(crate) fn depth(&self) -> usize {
        self.depth
    }

    /// Begins a list or an object, by its bracket.
    pub(crate) fn open(&mut self, bracket: u8) {
        self.put(&[bracket]);
        self.depth += 1;
    }

    /// Ends a list or an object, by its bracket.
    pub(crate) fn close(&mut self, bracket: u8, is_empty: bool) {
        self.depth -= 1;
        if !is_empty {
            self.line();
        }
        self.put(&[bracket]);
    }

    /// Begins an element of a list, or an entry of an object.
    pub(crate) fn next(&mut self, is_first: bool) -> Result<(), DecodeError> {
        if self.bytes.len() > self.max {
            return Err(too_large(self.max));
        }
        if !is_first {
            self.put(b",");
        }
        self.line();
        Ok(())
    }

    /// Begins an entry of an object by its name.
    pub(crate) fn name(&mut self, name: &str, is_first: bool) -> Result<(), DecodeError> {
        self.next(is_first)?;
        self.json(name);
        self.colon();
        Ok(())
    }

    /// Writes what stands between a name and its value.
    pub(crate) fn colon(&mut self) {
        self.put(if self.pretty { b": " } else { b":" });
    }

    /// Writes a value that is for people already.
    pub(crate) fn value(&mut self, value: &Value) -> Result<(), DecodeError> {
        match value {
            Value::Array(elements) => {
                self.open(b'[');
                for (index, element) in elements.iter().enumerate() {
                    self.next(index == 0)?;
                    self.value(element)?;
                }
                self.close(b']', elements.is_empty());
            }
            Value::Map(entries) => {
                self.open(b'{');
                for (index, (key, value)) in entries.iter().enumerate() {
                    self.name(key.as_str().unwrap_or_default(), index == 0)?;
                    self.value(value)?;
                }
                self.close(b'}', entries.is_empty());
            }
            scalar => self.json(scalar),
        }
        Ok(())
    }

    /// Writes the key of a map: text as it is, and the text of anything else.
    pub(crate) fn key(&mut self, key: &Value) {
        match key.as_str() {
            Some(text) => self.json(text),
            None => self.json(&key.to_string()),
        }
    }

    fn put(&mut self, bytes: &[u8]) {
        if !self.is_dropped() {
            self.bytes.extend_from_slice(bytes);
        }
    }

    fn json<T: serde::Serialize + ?Sized>(&mut self, value: &T) {
        if self.is_dropped() {
            return;
        }
        // A vector takes whatever is written to it, and scalars always are JSON.
        let _ = serde_json::to_writer(&mut self.bytes, value);
    }

    fn line(&mut self) {
        if self.pretty && !self.is_dropped() {
            let _ = write!(self.bytes, "\n{:indent$}", "", indent = 2 * self.depth);
        }
    }
}

#[cold]
fn too_large(max: usize) -> DecodeError {
    DecodeError::told(format_args!("too large to be shown: its JSON has more than {max} bytes"))
}
