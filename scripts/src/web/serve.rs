//! A web server for this computer alone: gives out the files of one folder, a request a connection.
use std::{
    fs::File,
    io::{self, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::{Component, Path, PathBuf},
    thread,
    time::Duration,
};

use super::WebError;

/// Bytes of a request's head at most; a browser's has about 500.
const HEAD_BYTES: usize = 16 << 10;
/// Header lines at most.
const HEADERS: usize = 64;
/// A browser that is silent for this long has gone: it opens connections that it may never use.
const SILENCE: Duration = Duration::from_secs(60);

/// Serves a page on 127.0.0.1.
pub struct Server {
    listener: TcpListener,
    folder: PathBuf,
    address: SocketAddr,
}

impl Server {
    /// Listens on `port`; 0 takes any that is free.
    ///
    /// # Errors
    /// Where the port is taken.
    pub fn open(folder: &Path, port: u16) -> Result<Self, WebError> {
        let failed = |cause| WebError::Port { port, cause };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Self { listener, folder: folder.into(), address })
    }

    /// The page's address.
    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// Answers requests, for ever: each connection has a thread, so that an idle one holds up none.
    pub fn run(&self) {
        for stream in self.listener.incoming().flatten() {
            let folder = self.folder.clone();
            // A browser that goes away in the middle of an answer is no error of ours.
            thread::spawn(move || drop(answer(stream, &folder)));
        }
    }
}

/// Reads a request and answers it.
fn answer(mut stream: TcpStream, folder: &Path) -> io::Result<()> {
    stream.set_read_timeout(Some(SILENCE))?;
    stream.set_write_timeout(Some(SILENCE))?;
    let Some((method, url)) = request(&mut stream)? else {
        return head(&mut stream, "400 Bad Request", "", 0);
    };
    if method != "GET" && method != "HEAD" {
        return head(&mut stream, "405 Method Not Allowed", "", 0);
    }
    let Some((mut file, kind)) = find(folder, &url) else {
        return head(&mut stream, "404 Not Found", "", 0);
    };
    head(&mut stream, "200 OK", kind, file.metadata()?.len())?;
    if method == "GET" {
        io::copy(&mut file, &mut stream)?;
    }
    Ok(())
}

/// A request's method and address; none where it is not one.
fn request(stream: &mut TcpStream) -> io::Result<Option<(String, String)>> {
    let mut bytes = Vec::new();
    let mut chunk = [0; 2048];
    while bytes.len() < HEAD_BYTES {
        let read = stream.read(&mut chunk)?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        bytes.extend_from_slice(&chunk[..read]);
        let mut headers = [httparse::EMPTY_HEADER; HEADERS];
        let mut request = httparse::Request::new(&mut headers);
        match request.parse(&bytes) {
            Ok(httparse::Status::Complete(_)) => {
                let owned = |part: Option<&str>| part.unwrap_or_default().to_owned();
                return Ok(Some((owned(request.method), owned(request.path))));
            }
            Ok(httparse::Status::Partial) => {}
            Err(_) => return Ok(None),
        }
    }
    Ok(None)
}

/// Writes an answer's head.
fn head(stream: &mut TcpStream, status: &str, kind: &str, bytes: u64) -> io::Result<()> {
    let kind = if kind.is_empty() { String::new() } else { format!("Content-Type: {kind}\r\n") };
    write!(
        stream,
        "HTTP/1.1 {status}\r\n{kind}Content-Length: {bytes}\r\nCache-Control: no-cache\r\nConnection: close\r\n\r\n"
    )
}

/// The file that an address means, and its kind.
fn find(folder: &Path, url: &str) -> Option<(File, &'static str)> {
    let path = relative(url)?;
    let path = if path.as_os_str().is_empty() { Path::new("index.html") } else { path };
    let full = folder.join(path);
    if !full.is_file() {
        return None;
    }
    Some((File::open(full).ok()?, kind(path)))
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
