//! Files from a server, by HTTP. A download that was cut goes on where it stopped.
use std::{
    io::{self, Read},
    time::Duration,
};

use ureq::{
    Agent, Body,
    http::{Response, StatusCode, header},
};

use super::{CHUNK, FetchError, Fetcher, part::Part, progress_bar};
use crate::published::Site;

/// How long a name's lookup may take: without a network the user should know soon.
pub const RESOLVE: Duration = Duration::from_secs(1);
/// How long the server may take to answer a connection, encryption included.
const CONNECT: Duration = Duration::from_secs(5);
/// How long the server may be silent in the middle of a file.
const SILENCE: Duration = Duration::from_secs(30);

/// A client that keeps these limits.
pub fn agent() -> Agent {
    let config = Agent::config_builder()
        .timeout_resolve(Some(RESOLVE))
        .timeout_connect(Some(CONNECT))
        .timeout_per_read(Some(SILENCE))
        .http_status_as_error(false)
        .user_agent(concat!("unreallm/", env!("CARGO_PKG_VERSION")))
        .build();
    config.into()
}

impl Fetcher {
    /// Where a file is published.
    pub(super) fn url(&self, site: Site, path: &str) -> String {
        match &self.mirror {
            Some(mirror) => format!("{}/{path}", mirror.trim_end_matches('/')),
            None => format!("{}{path}", site.base()),
        }
    }

    /// Completes an unfinished file.
    ///
    /// # Errors
    /// What went wrong, with what would help. What came by then stays.
    pub(super) fn download(&self, name: &'static str, url: &str, part: &mut Part) -> Result<(), FetchError> {
        let mut response = self.request(name, url, part.length())?;
        if response.status() == StatusCode::RANGE_NOT_SATISFIABLE {
            // All of it is here, or more than there is: the checksum tells.
            return Ok(());
        }
        if part.length() > 0 && response.status() != StatusCode::PARTIAL_CONTENT {
            // A server that cannot go on sends all of it again.
            part.restart()?;
        }
        let total = content_length(&response).map(|rest| part.length() + rest);
        let bar = progress_bar("Fetching", name, part.length(), total);
        let mut body = response.body_mut().as_reader();
        let mut chunk = vec![0; CHUNK];
        loop {
            let received = part.length();
            let cut = |cause| FetchError::Cut { name, received, total, cause };
            let read = match body.read(&mut chunk) {
                Ok(0) if total.is_some_and(|total| received < total) => {
                    return Err(cut(io::ErrorKind::UnexpectedEof.into()));
                }
                Ok(0) => break,
                Ok(read) => read,
                Err(cause) if cause.kind() == io::ErrorKind::Interrupted => continue,
                Err(cause) => return Err(cut(cause)),
            };
            part.add(&chunk[..read])?;
            bar.set_position(part.length());
        }
        bar.finish();
        Ok(())
    }

    /// Asks for a file from its byte `from` on.
    fn request(&self, name: &'static str, url: &str, from: u64) -> Result<Response<Body>, FetchError> {
        let mut request = self.agent.get(url);
        if from > 0 {
            request = request.header(header::RANGE, format!("bytes={from}-"));
        }
        let response = request.call().map_err(|cause| FetchError::Unreachable {
            url: url.into(),
            cause: Box::new(cause),
            name,
            folder: self.folder.clone(),
        })?;
        let status = response.status();
        if !status.is_success() && status != StatusCode::RANGE_NOT_SATISFIABLE {
            return Err(FetchError::Refused { url: url.into(), status, name, folder: self.folder.clone() });
        }
        Ok(response)
    }
}

/// Bytes that the server says it will send.
fn content_length(response: &Response<Body>) -> Option<u64> {
    response.headers().get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}
