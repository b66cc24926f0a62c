//! Fetching against a server on this computer that behaves, or misbehaves, as told.
use std::{
    ffi::OsString,
    fs::{self, File},
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    path::Path,
    sync::{Arc, Mutex},
    thread,
    time::Instant,
};

use super::{super::server::RESOLVE, *};
use crate::published::{PublishedFile, Site, Source};

/// What the server has.
fn content() -> Vec<u8> {
    (0..300_000u32).map(|i| (i.wrapping_mul(i) >> 7) as u8).collect()
}

fn published(sha256: String) -> PublishedFile {
    let source = Source::Server(Site::TinyLlamas, "tiny/tiny.bin");
    PublishedFile { name: "tiny.bin", source, sha256: sha256.leak() }
}

fn right() -> PublishedFile {
    published(sha256(&content()[..]).unwrap())
}

/// How the server behaves.
#[derive(Clone, Copy, PartialEq)]
enum Behaviour {
    Good,
    NotFound,
    /// Closes the connection after so many bytes.
    Cut(usize),
    /// Sends everything, whatever range is asked for.
    NoRanges,
}

/// A request's first line, and where the range begins that it asks for.
type Request = (String, Option<usize>);

/// A server for one connection after the other, each as the list says.
struct Server {
    base: String,
    requests: Arc<Mutex<Vec<Request>>>,
}

fn serve(behaviours: &[Behaviour]) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}/models/", listener.local_addr().unwrap());
    let requests = Arc::new(Mutex::new(Vec::new()));
    let (seen, behaviours) = (Arc::clone(&requests), behaviours.to_vec());
    thread::spawn(move || {
        for behaviour in behaviours {
            let (stream, _) = listener.accept().unwrap();
            let request = read_request(&stream);
            seen.lock().unwrap().push(request.clone());
            answer(stream, behaviour, request.1);
        }
    });
    Server { base, requests }
}

fn read_request(stream: &TcpStream) -> Request {
    let mut lines = BufReader::new(stream).lines().map(Result::unwrap);
    let first = lines.next().unwrap();
    let range = lines
        .take_while(|line| !line.is_empty())
        .find_map(|line| line.to_lowercase().strip_prefix("range: bytes=")?.strip_suffix('-')?.parse().ok());
    (first, range)
}

fn answer(mut stream: TcpStream, behaviour: Behaviour, range: Option<usize>) {
    let content = content();
    let from = range.filter(|_| behaviour != Behaviour::NoRanges).unwrap_or(0);
    let (status, body) = match behaviour {
        Behaviour::NotFound => ("404 Not Found", &b"no such file"[..]),
        _ if from >= content.len() => ("416 Range Not Satisfiable", &b""[..]),
        _ if from > 0 => ("206 Partial Content", &content[from..]),
        _ => ("200 OK", &content[..]),
    };
    let sent = match behaviour {
        Behaviour::Cut(after) => &body[..after],
        _ => body,
    };
    write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len())
        .unwrap();
    stream.write_all(sent).unwrap();
}

fn fetcher(server: &Server, folder: &Path) -> Fetcher {
    Fetcher::new(Some(server.base.clone()), OsString::new(), folder.into())
}

#[test]
fn a_file_comes_once_and_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let server = serve(&[Behaviour::Good]);
    let fetcher = fetcher(&server, folder.path());
    let path = fetcher.file(&right()).unwrap();
    assert_eq!(fs::read(&path).unwrap(), content());
    assert_eq!(names(folder.path()), ["tiny.bin"]);
    assert_eq!(fetcher.file(&right()).unwrap(), path, "the second time nothing is asked for");
    let requests = server.requests.lock().unwrap();
    assert_eq!(*requests, [("GET /models/tiny/tiny.bin HTTP/1.1".to_owned(), None)]);
}

#[test]
fn what_is_not_there_is_said_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let error =
        fetcher(&serve(&[Behaviour::NotFound]), folder.path()).file(&right()).unwrap_err().to_string();
    assert!(error.contains("/models/tiny/tiny.bin answered 404 Not Found"), "{error}");
    assert!(!folder.path().join("tiny.bin").exists());
}

#[test]
fn a_cut_download_goes_on_where_it_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let server = serve(&[Behaviour::Cut(100_000), Behaviour::Cut(50_000), Behaviour::Good]);
    let fetcher = fetcher(&server, folder.path());
    let error = fetcher.file(&right()).unwrap_err().to_string();
    assert!(error.starts_with("the connection was cut after 100000 of 300000 bytes of tiny.bin"), "{error}");
    assert_eq!(names(folder.path()), ["tiny.bin.part"]);
    let error = fetcher.file(&right()).unwrap_err().to_string();
    assert!(error.starts_with("the connection was cut after 150000 of 300000 bytes"), "{error}");
    let path = fetcher.file(&right()).unwrap();
    assert_eq!(fs::read(path).unwrap(), content());
    let ranges: Vec<_> = server.requests.lock().unwrap().iter().map(|request| request.1).collect();
    assert_eq!(ranges, [None, Some(100_000), Some(150_000)]);
}

#[test]
fn a_server_without_ranges_starts_again() {
    let folder = tempfile::tempdir().unwrap();
    let server = serve(&[Behaviour::Cut(100_000), Behaviour::NoRanges]);
    let fetcher = fetcher(&server, folder.path());
    assert!(fetcher.file(&right()).is_err());
    assert_eq!(fs::read(fetcher.file(&right()).unwrap()).unwrap(), content());
}

#[test]
fn a_download_that_stopped_just_before_its_name_is_finished() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("tiny.bin.part"), content()).unwrap();
    let path = fetcher(&serve(&[Behaviour::Good]), folder.path()).file(&right()).unwrap();
    assert_eq!(fs::read(path).unwrap(), content());
}

#[test]
fn a_wrong_checksum_throws_the_file_away() {
    let folder = tempfile::tempdir().unwrap();
    let wrong = published("0".repeat(64));
    let error = fetcher(&serve(&[Behaviour::Good]), folder.path()).file(&wrong).unwrap_err().to_string();
    assert!(error.contains(right().sha256) && error.contains(wrong.sha256), "{error}");
    assert!(names(folder.path()).is_empty());
}

#[test]
fn two_at_once_do_not_mix() {
    let folder = tempfile::tempdir().unwrap();
    let other = File::create(folder.path().join("tiny.bin.part")).unwrap();
    other.lock().unwrap();
    let error = fetcher(&serve(&[]), folder.path()).file(&right()).unwrap_err();
    assert!(matches!(error, FetchError::Busy { .. }), "{error}");
}

#[test]
fn offline_it_fails_soon_and_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let begun = Instant::now();
    // A name that no resolver knows (RFC 6761), as when there is no network.
    let fetcher = Fetcher::new(Some("http://models.invalid".into()), OsString::new(), folder.path().into());
    let error = fetcher.file(&right()).unwrap_err().to_string();
    assert!(begun.elapsed() < RESOLVE * 2, "{:?}", begun.elapsed());
    assert!(error.starts_with("http://models.invalid/tiny/tiny.bin cannot be reached"), "{error}");
    assert!(error.contains("copy tiny.bin from another computer into"), "{error}");
}
