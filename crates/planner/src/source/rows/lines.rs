//! Finds records in a stream of bytes: lines of a byte range, or whole files.

use std::sync::Arc;

use bytes::Bytes;
use datafusion::common::Result;
use datafusion::datasource::file_format::file_compression_type::FileCompressionType;
use datafusion::datasource::listing::PartitionedFile;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use object_store::{GetOptions, GetRange, ObjectStore};

/// The compression that a file's name tells.
pub fn compression(path: &str) -> FileCompressionType {
    match path.rsplit_once('.').map(|(_, ext)| ext) {
        Some("gz") => FileCompressionType::GZIP,
        Some("bz2") => FileCompressionType::BZIP2,
        Some("xz") => FileCompressionType::XZ,
        Some("zst" | "zstd") => FileCompressionType::ZSTD,
        _ => FileCompressionType::UNCOMPRESSED,
    }
}

/// The bytes that the records of a file's range may be in, from just before it to the file's end.
pub async fn bytes(store: &Arc<dyn ObjectStore>, file: &PartitionedFile) -> Result<BoxStream<'static, Result<Bytes>>> {
    let path = &file.object_meta.location;
    let compression = compression(path.as_ref());
    let start = file.range.as_ref().map_or(0, |r| r.start as u64);
    let options = match start.checked_sub(1) {
        Some(before) if !compression.is_compressed() => {
            GetOptions { range: Some(GetRange::Offset(before)), ..Default::default() }
        }
        _ => GetOptions::default(),
    };
    let stream = store.get_opts(path, options).await?.into_stream().map_err(Into::into).boxed();
    if compression.is_compressed() { compression.convert_stream(stream) } else { Ok(stream) }
}

/// Cuts bytes into lines. Those that begin before `end` are of the range.
pub struct LineSplitter {
    separator: Option<Vec<u8>>,
    buffer: Vec<u8>,
    /// Where in the file the buffer begins.
    at: u64,
    end: u64,
    /// The part of a line that belongs to the range before.
    skip_first: bool,
    pub done: bool,
}

impl LineSplitter {
    pub fn new(file: &PartitionedFile, separator: Option<&str>) -> Self {
        let (start, end) = match &file.range {
            Some(range) => (range.start as u64, range.end as u64),
            None => (0, u64::MAX),
        };
        LineSplitter {
            separator: separator.map(|s| s.as_bytes().to_vec()),
            buffer: Vec::new(),
            at: start.saturating_sub(1),
            end,
            skip_first: start > 0,
            done: false,
        }
    }

    /// Adds bytes; whole lines go to `f`.
    pub fn push(&mut self, bytes: &[u8], f: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
        self.buffer.extend_from_slice(bytes);
        let buffer = std::mem::take(&mut self.buffer);
        let mut from = 0;
        while !self.done
            && let Some((line, next)) = self.next_line(&buffer[from..])
        {
            self.emit(&buffer[from..from + line], f)?;
            self.at += next as u64;
            from += next;
        }
        self.buffer = buffer[from..].to_vec();
        Ok(())
    }

    /// The last line, which nothing ends.
    pub fn finish(&mut self, f: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
        let rest = std::mem::take(&mut self.buffer);
        if !rest.is_empty() && !self.done {
            self.emit(&rest, f)?;
        }
        Ok(())
    }

    fn emit(&mut self, line: &[u8], f: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
        if std::mem::take(&mut self.skip_first) {
            return Ok(());
        }
        if self.at >= self.end {
            self.done = true;
            return Ok(());
        }
        f(line)
    }

    /// Length of the first line and where the next begins.
    fn next_line(&self, bytes: &[u8]) -> Option<(usize, usize)> {
        match &self.separator {
            None => {
                let at = bytes.iter().position(|b| *b == b'\n')?;
                let end = if at > 0 && bytes[at - 1] == b'\r' { at - 1 } else { at };
                Some((end, at + 1))
            }
            Some(separator) if separator.is_empty() => None,
            Some(separator) => {
                let at = bytes.windows(separator.len()).position(|w| w == separator)?;
                Some((at, at + separator.len()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str, range: Option<(i64, i64)>, chunk: usize) -> Vec<String> {
        let mut file = PartitionedFile::new("f", text.len() as u64);
        let mut bytes = text.as_bytes();
        if let Some((start, end)) = range {
            file = file.with_range(start, end);
            bytes = &bytes[(start as usize).saturating_sub(1)..];
        }
        let mut out = Vec::new();
        let mut splitter = LineSplitter::new(&file, None);
        let mut keep = |line: &[u8]| {
            out.push(String::from_utf8_lossy(line).into_owned());
            Ok(())
        };
        for part in bytes.chunks(chunk) {
            splitter.push(part, &mut keep).unwrap();
        }
        splitter.finish(&mut keep).unwrap();
        out
    }

    #[test]
    fn every_line_belongs_to_one_range() {
        let text = "ab\ncde\r\n\nf\nghij";
        for chunk in 1..6 {
            assert_eq!(lines(text, None, chunk), ["ab", "cde", "", "f", "ghij"]);
            for cut in 1..text.len() as i64 {
                let mut all = lines(text, Some((0, cut)), chunk);
                all.extend(lines(text, Some((cut, text.len() as i64)), chunk));
                assert_eq!(all, ["ab", "cde", "", "f", "ghij"], "cut at {cut}");
            }
        }
    }
}
