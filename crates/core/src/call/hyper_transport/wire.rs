//! The socket under a connection, plain or secured, that knows when a request leaves.
//!
//! The rules enforced here: before the first byte of a request the call is asked whether it still wants it, and from then on it
//! counts as left; and a kept socket is looked at, by a system call and not by what the runtime remembers of it, before a
//! request is trusted to it. Whatever it has to say by then, its end or an answer that nobody asked for, nobody is to hear.

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use super::super::outgoing::Stopped;
use super::super::transport::SendMark;

const OPEN: u8 = 0;
/// The next byte that is written is the first of a request.
const EXPECTING: u8 = 1;
/// The same, over a connection that was put aside.
const EXPECTING_AGAIN: u8 = 2;
/// It said something while it was put aside.
const STALE: u8 = 3;

/// What a connection and its wire tell each other.
#[derive(Debug, Default)]
pub(super) struct Gate {
    state: AtomicU8,
    mark: Mutex<Option<SendMark>>,
}

impl Gate {
    /// The next bytes are those of a request.
    pub(super) fn expect(&self, mark: &SendMark, reused: bool) {
        *self.mark.lock().unwrap_or_else(PoisonError::into_inner) = Some(mark.clone());
        self.state.store(if reused { EXPECTING_AGAIN } else { EXPECTING }, Ordering::Relaxed);
    }

    pub(super) fn is_stale(&self) -> bool {
        self.state.load(Ordering::Relaxed) == STALE
    }

    fn is_to_be_looked_at(&self) -> bool {
        self.state.load(Ordering::Relaxed) == EXPECTING_AGAIN
    }

    fn turn_stale(&self) {
        self.state.store(STALE, Ordering::Relaxed);
    }

    /// Whether bytes may be written. All of a connection happens on one task at a time, so the state needs no ordering.
    fn lets_out(&self) -> io::Result<()> {
        match self.state.load(Ordering::Relaxed) {
            OPEN => return Ok(()),
            STALE => return Err(io::ErrorKind::ConnectionAborted.into()),
            _ => {}
        }
        let mark = self.mark.lock().unwrap_or_else(PoisonError::into_inner).take();
        if mark.is_some_and(|mark| !mark.leave()) {
            self.turn_stale();
            return Err(io::Error::other(Stopped::GivenUp));
        }
        self.state.store(OPEN, Ordering::Relaxed);
        Ok(())
    }
}

/// A socket with its gate.
#[derive(Debug)]
pub(super) struct Wire {
    socket: Socket,
    gate: Arc<Gate>,
}

#[derive(Debug)]
pub(super) enum Socket {
    Plain(TcpStream),
    Secured(Box<TlsStream<TcpStream>>),
}

impl Wire {
    pub(super) fn new(socket: Socket) -> Self {
        Self { socket, gate: Arc::default() }
    }

    pub(super) fn gate(&self) -> Arc<Gate> {
        self.gate.clone()
    }

    /// Whether the kernel has nothing to tell of it.
    fn is_silent(&self) -> bool {
        let tcp = match &self.socket {
            Socket::Plain(tcp) => tcp,
            Socket::Secured(tls) => tls.get_ref().0,
        };
        let peeked = SockRef::from(tcp).peek(&mut [MaybeUninit::uninit()]);
        matches!(peeked, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }
}

/// Does `$call` with whichever stream it is.
macro_rules! over {
    ($wire:ident, $stream:ident => $call:expr) => {
        match &mut $wire.socket {
            Socket::Plain(stream) => {
                let $stream = Pin::new(stream);
                $call
            }
            Socket::Secured(stream) => {
                let $stream = Pin::new(&mut **stream);
                $call
            }
        }
    };
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.gate.is_to_be_looked_at() && !self.is_silent() {
            self.gate.turn_stale();
            // Nothing read is the end, which hyper takes well of a connection that does nothing.
            return Poll::Ready(Ok(()));
        }
        over!(self, stream => stream.poll_read(context, buffer))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.gate.lets_out()?;
        over!(self, stream => stream.poll_write(context, bytes))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.gate.lets_out()?;
        over!(self, stream => stream.poll_write_vectored(context, pieces))
    }

    fn is_write_vectored(&self) -> bool {
        match &self.socket {
            Socket::Plain(tcp) => tcp.is_write_vectored(),
            Socket::Secured(tls) => tls.is_write_vectored(),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        over!(self, stream => stream.poll_flush(context))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        over!(self, stream => stream.poll_shutdown(context))
    }
}
