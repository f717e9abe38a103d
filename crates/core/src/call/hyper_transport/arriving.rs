//! An answer's body as a stream of its data, which moves its connection along and puts it aside after the last byte.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_core::Stream;
use http::Response;
use hyper::body::{Body as _, Incoming};

use super::super::transport::{BodyStream, TransportError};
use super::idle::Idle;
use super::{Conn, translate};

pub(super) struct Arriving {
    body: Incoming,
    /// Nothing once the last byte has come.
    conn: Option<Box<Conn>>,
    /// Nothing if the connection is not kept.
    idle: Option<Arc<Idle>>,
}

impl Arriving {
    pub(super) fn answer(
        answer: Response<Incoming>,
        conn: Box<Conn>,
        idle: Option<&Arc<Idle>>,
    ) -> Response<BodyStream> {
        let (head, body) = answer.into_parts();
        let arriving = Self { body, conn: Some(conn), idle: idle.cloned() };
        Response::from_parts(head, Box::pin(arriving))
    }

    fn poll_data(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, TransportError>>> {
        loop {
            match std::task::ready!(Pin::new(&mut self.body).poll_frame(context)) {
                Some(Ok(frame)) => {
                    // Trailers, which are passed over, say nothing that these services use.
                    if let Ok(data) = frame.into_data() {
                        return Poll::Ready(Some(Ok(data)));
                    }
                }
                Some(Err(cause)) => return Poll::Ready(Some(Err(translate(cause)))),
                None => return Poll::Ready(None),
            }
        }
    }

    /// The answer is whole: the connection waits for the next request, if it can take one.
    fn put_aside(&mut self, context: &mut Context<'_>) {
        let Some(mut conn) = self.conn.take() else { return };
        if let Some(idle) = &self.idle
            && conn.is_free(context)
        {
            idle.put(conn);
        }
    }
}

impl Stream for Arriving {
    type Item = Result<Bytes, TransportError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut next = self.poll_data(context);
        if next.is_pending()
            && let Some(conn) = &mut self.conn
        {
            conn.drive(context);
            next = self.poll_data(context);
        }
        match &next {
            Poll::Ready(None) => self.put_aside(context),
            Poll::Ready(Some(Err(_))) => self.conn = None,
            _ => {}
        }
        next
    }
}
