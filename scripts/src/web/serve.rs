//! A web server for this computer alone: gives out the files of one folder.
use std::{
    fs::File,
    net::{Ipv4Addr, SocketAddr},
    path::{Component, Path, PathBuf},
};

use tiny_http::{Header, Method, Request, Response, StatusCode};

use super::WebError;

/// Serves a page on 127.0.0.1.
pub struct Server {
    http: tiny_http::Server,
    folder: PathBuf,
    address: SocketAddr,
}

impl Server {
    /// Listens on `port`; 0 takes any that is free.
    ///
    /// # Errors
    /// Where the port is taken.
    pub fn open(folder: &Path, port: u16) -> Result<Self, WebError> {
        let http = tiny_http::Server::http((Ipv4Addr::LOCALHOST, port))
            .map_err(|cause| WebError::Port { port, cause: cause.to_string() })?;
        let address = http.server_addr().to_ip().expect("it listens on an IP address");
        Ok(Self { http, folder: folder.into(), address })
    }

    /// The page's address.
    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// Answers requests, for ever.
    pub fn run(&self) {
        for request in self.http.incoming_requests() {
            self.answer(request);
        }
    }

    fn answer(&self, request: Request) {
        let status = |code: u16| Response::empty(StatusCode(code));
        // A browser that went away in the middle of an answer is no error of ours.
        let _ = match request.method() {
            Method::Get | Method::Head => match self.find(request.url()) {
                Some((file, kind)) => {
                    let response = Response::from_file(file);
                    request.respond(
                        response
                            .with_header(header("Content-Type", kind))
                            .with_header(header("Cache-Control", "no-cache")),
                    )
                }
                None => request.respond(status(404)),
            },
            _ => request.respond(status(405)),
        };
    }

    /// The file that an address means, and its kind.
    fn find(&self, url: &str) -> Option<(File, &'static str)> {
        let path = relative(url)?;
        let path = if path.as_os_str().is_empty() { Path::new("index.html") } else { path };
        let full = self.folder.join(path);
        if !full.is_file() {
            return None;
        }
        Some((File::open(full).ok()?, kind(path)))
    }
}

/// The path in the folder; `None` for one that would leave it.
fn relative(url: &str) -> Option<&Path> {
    let path = url.split(['?', '#']).next()?.strip_prefix('/')?;
    let path = Path::new(path);
    path.components().all(|part| matches!(part, Component::Normal(_))).then_some(path)
}

/// A file's media type. Browsers insist on the right one for modules and WebAssembly.
fn kind(path: &Path) -> &'static str {
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("html") => "text/html; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("js" | "mjs") => "text/javascript; charset=utf-8",
        Some("json") => "application/json",
        Some("svg") => "image/svg+xml",
        Some("txt") => "text/plain; charset=utf-8",
        Some("wasm") => "application/wasm",
        _ => "application/octet-stream",
    }
}

fn header(name: &str, value: &str) -> Header {
    Header::from_bytes(name, value).expect("the names and values above are plain ASCII")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, thread};

    #[test]
    fn no_address_leaves_the_folder() {
        assert_eq!(relative("/v86/v86.wasm?x=1"), Some(Path::new("v86/v86.wasm")));
        assert_eq!(relative("/"), Some(Path::new("")));
        for url in ["/../secret", "//etc/passwd", "/a/../../b", "x"] {
            assert_eq!(relative(url), None, "{url}");
        }
    }

    #[test]
    fn files_come_with_their_kind() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("index.html"), b"hello").unwrap();
        fs::write(folder.path().join("x.wasm"), vec![7; 100_000]).unwrap();
        let server = Server::open(folder.path(), 0).unwrap();
        let url = server.url();
        thread::spawn(move || server.run());
        let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
        let mut page = agent.get(&url).call().unwrap();
        assert_eq!(page.body_mut().read_to_string().unwrap(), "hello");
        assert_eq!(page.headers()["content-type"], "text/html; charset=utf-8");
        let mut wasm = agent.get(format!("{url}x.wasm")).call().unwrap();
        assert_eq!(wasm.headers()["content-type"], "application/wasm");
        assert_eq!(wasm.body_mut().read_to_vec().unwrap(), vec![7; 100_000]);
        assert_eq!(agent.get(format!("{url}nothing")).call().unwrap().status(), 404);
        assert_eq!(agent.post(&url).send_empty().unwrap().status(), 405);
    }

    #[test]
    fn a_port_that_is_taken_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let first = Server::open(folder.path(), 0).unwrap();
        let port = first.address.port();
        let Err(error) = Server::open(folder.path(), port) else { panic!("two servers on one port") };
        assert!(error.to_string().contains(&format!("port {port}")), "{error}");
    }
}
