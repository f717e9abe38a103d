//! Posts: tasks, tickets, mails and the comments on them (contract 3.1 and 3.2).
//!
//! The rules enforced here: the helpdesk's list stands beside `/app`, not below it (trap 10); a comment always names what it is about.

use integration_core::body::fields::Scalar;
use integration_core::body::page::Pages;
use integration_core::call::{Idempotency, Operation};
use integration_core::{Error, Fault, Faults};

use super::query::ListQuery;
use crate::client::Client;
use crate::desk::Ask;
use crate::kinds::{PostKind, TaskKind};
use crate::value::{Moment, Patch, Tokens};
use crate::wire::{Change, Record, change, record, token};

const HELPDESK: Operation = Operation::get("list the helpdesk", "/app.json");
const TASKS: Operation = Operation::get("list tasks", "/tasks.json");
const READ: Operation = Operation::get("read a post", "/posts/{id}.json");
const CREATE: Operation = Operation::post("create a post", "/posts.json", Idempotency::Once);
const COMMENT: Operation = Operation::post("comment on a post", "/posts.json", Idempotency::Once);

pub(super) const OPERATIONS: [Operation; 5] = [HELPDESK, TASKS, READ, CREATE, COMMENT];

record! {
    /// A post as the service shows it.
    #[doc(alias("tarea", "ticket"))]
    Post in "post" of "posts" {
        title: Option<String>,
        content: Option<String>,
        kind: Option<PostKind>,
        task_kind: Option<TaskKind>,
        client_id: Option<u64>,
        /// what a comment is about.
        post_id: Option<u64>,
        project_id: Option<u64>,
        responsible_id: Option<u64>,
        user_id: Option<u64>,
        status_id: Option<u64>,
        category_id: Option<u64>,
        forum_id: Option<u64>,
        priority: Option<String>,
        scheduled_at: Option<Moment>,
        closed: Option<bool>,
        private: Option<bool>,
        unread: Option<bool>,
        tags: Option<Vec<String>>,
        email: Option<String>,
        email_to: Option<String>,
        email_cc: Option<String>,
        email_bcc: Option<String>,
        email_reply_to: Option<String>,
        email_recipient: Option<String>,
        use_html: Option<bool>,
        answer: Option<String>,
        answered: Option<bool>,
        points: Option<i64>,
        nick: Option<String>,
        votes_cache: Option<i64>,
        comments_cache: Option<i64>,
        ip: Option<String>,
        agent: Option<String>,
        response: Option<String>,
        response_user_id: Option<u64>,
        referrer: Option<String>,
        last_action_status: Option<String>,
        uid: Option<String>,
        spam_kind: Option<String>,
        spam_score: Option<String>,
        spam_report: Option<String>,
        user_spam_report: Option<String>,
        duplicate_from_id: Option<u64>,
        view_count: Option<i64>,
        facebook_likes: Option<i64>,
        min_votes_to_start: Option<i64>,
        title_note: Option<String>,
        help_link: Option<String>,
        help_content: Option<String>,
        www: Option<String>,
        created_at: Option<Moment>,
        updated_at: Option<Moment>,
    }
}

impl Post {
    /// `abstract`, which is no name in Rust: it stands in `extra`.
    #[must_use]
    #[doc(alias = "abstract")]
    pub fn summary(&self) -> Option<String> {
        self.extra.scalar("abstract").and_then(Scalar::text)
    }
}

change! {
    /// What may be set of a new post. There is no call that changes one later.
    PostFields {
        title: String,
        content: String,
        kind: PostKind,
        client_id: u64,
        project_id: u64,
        responsible_id: u64,
        user_id: u64,
        status_id: u64,
        category_id: u64,
        forum_id: u64,
        priority: String,
        scheduled_at: Moment,
        closed: bool,
        private: bool,
        unread: bool,
        tags: Vec<String>,
        email: String,
        email_to: String,
        email_cc: String,
        email_bcc: String,
        email_reply_to: String,
        email_recipient: String,
        use_html: bool,
        nick: String,
        referrer: String,
        uid: String,
        title_note: String,
        help_link: String,
        help_content: String,
        www: String,
    }
}

/// A post to be created, or a comment.
///
/// ```
/// use sugester::crm::{NewPost, PostFields};
/// use sugester::kinds::TaskKind;
///
/// let call = NewPost::new(TaskKind::Task, "Call Ana")
///     .fields(PostFields { client_id: 17.into(), content: "About the offer".into(), ..PostFields::default() });
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct NewPost {
    task_kind: TaskKind,
    fields: PostFields,
}

impl NewPost {
    /// A post of a kind, with its title. Comments are made by [`Client::create_comment`].
    pub fn new(task_kind: TaskKind, title: impl Into<String>) -> Self {
        Self { task_kind, fields: PostFields { title: Patch::Set(title.into()), ..PostFields::default() } }
    }

    /// Everything else; a title that is set here replaces the first.
    pub fn fields(mut self, fields: PostFields) -> Self {
        let title = std::mem::take(&mut self.fields.title);
        self.fields = fields;
        if self.fields.title.is_keep() {
            self.fields.title = title;
        }
        self
    }

    fn tokens(&self) -> Result<Tokens, Error> {
        let mut faults = Faults::new();
        if blank(&self.fields.title) {
            faults.push(Fault::error("REQUIRED", "post.title").with_expected("a text that is not blank"));
        }
        if self.task_kind == TaskKind::Comment {
            let fault = Fault::error("COMMENT", "post.task_kind").with_expected("another kind");
            faults.push(fault.with_hint("a comment is about a post: use `create_comment`"));
        }
        faults.into_result(CREATE.name)?;
        let mut tokens = self.fields.tokens();
        tokens.insert("task_kind".to_owned(), token(&self.task_kind));
        Ok(tokens)
    }
}

fn blank(patch: &Patch<String>) -> bool {
    patch.value().is_none_or(|text| text.trim().is_empty())
}

fn comment(post_id: u64, fields: &PostFields) -> Result<Tokens, Error> {
    let mut faults = Faults::new();
    if post_id == 0 {
        faults.push(Fault::error("ID", "post.post_id").with_expected("the id of a post, above 0"));
    }
    if blank(&fields.content) {
        faults.push(Fault::error("REQUIRED", "post.content").with_expected("a text that is not blank"));
    }
    faults.into_result(COMMENT.name)?;
    let mut tokens = fields.tokens();
    tokens.insert("post_id".to_owned(), token(&post_id));
    tokens.insert("task_kind".to_owned(), token(&TaskKind::Comment));
    Ok(tokens)
}

impl Client {
    /// Lists the helpdesk, page by page: `/app.json` at the root of the host (trap 10).
    ///
    /// Idempotency: [`Safe`](crate::Idempotency::Safe) (contract 3.1).
    ///
    /// # Errors
    /// A validation error for a page size or filter that cannot be; nothing is sent before the first page is awaited.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let crm = kit.crm;
    /// use sugester::crm::ListQuery;
    ///
    /// let mut pages = crm.helpdesk(&ListQuery::new())?;
    /// while let Some(page) = pages.next_page().await? {
    ///     println!("{} tickets", page.items.len());
    /// }
    /// # Ok(()) });
    /// ```
    pub fn helpdesk(&self, query: &ListQuery) -> Result<Pages<Post>, Error> {
        query.pages(&self.desk, HELPDESK.name, Ask::new(HELPDESK).at_root())
    }

    /// Lists tasks, page by page.
    ///
    /// Idempotency: [`Safe`](crate::Idempotency::Safe) (contract 3.1).
    ///
    /// # Errors
    /// As [`helpdesk`](Self::helpdesk).
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let crm = kit.crm;
    /// use sugester::crm::ListQuery;
    ///
    /// let mut pages = crm.tasks(&ListQuery::new())?;
    /// while let Some(page) = pages.next_page().await? {
    ///     println!("{} tasks", page.items.len());
    /// }
    /// # Ok(()) });
    /// ```
    #[doc(alias = "tareas")]
    pub fn tasks(&self, query: &ListQuery) -> Result<Pages<Post>, Error> {
        query.pages(&self.desk, TASKS.name, Ask::new(TASKS))
    }

    /// Reads one post.
    ///
    /// Idempotency: [`Safe`](crate::Idempotency::Safe) (contract 3.1).
    ///
    /// # Errors
    /// As every call.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let (id, crm) = (kit.post().await, kit.crm);
    /// println!("{:?}", crm.post(id).await?.title);
    /// # Ok(()) });
    /// ```
    pub async fn post(&self, id: u64) -> Result<Post, Error> {
        self.desk.record(Ask::new(READ).id(id)).await
    }

    /// Creates a post. Sent once: one of the kind `email` may be mailed.
    ///
    /// Idempotency: [`Once`](crate::Idempotency::Once) (contract 3.1).
    ///
    /// # Errors
    /// A validation error without a title, or for a comment; a refusal; and as every call.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let crm = kit.crm;
    /// use sugester::crm::NewPost;
    /// use sugester::kinds::TaskKind;
    ///
    /// let task = crm.create_post(&NewPost::new(TaskKind::Task, "Llamar a Ana")).await?;
    /// println!("{}", task.id);
    /// # Ok(()) });
    /// ```
    pub async fn create_post(&self, post: &NewPost) -> Result<Post, Error> {
        self.desk.record(Ask::new(CREATE).wrapped(Post::WRAPPER, &post.tokens()?)).await
    }

    /// Comments on a post. Sent once.
    ///
    /// Idempotency: [`Once`](crate::Idempotency::Once) (contract 3.1).
    ///
    /// # Errors
    /// A validation error without `content`; a refusal; and as every call.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let (id, crm) = (kit.post().await, kit.crm);
    /// use sugester::crm::PostFields;
    ///
    /// crm.create_comment(id, &PostFields { content: "Llamada hecha".into(), ..PostFields::default() }).await?;
    /// # Ok(()) });
    /// ```
    #[doc(alias = "comentario")]
    pub async fn create_comment(&self, post_id: u64, comment: &PostFields) -> Result<Post, Error> {
        let tokens = self::comment(post_id, comment)?;
        self.desk.record(Ask::new(COMMENT).wrapped(Post::WRAPPER, &tokens)).await
    }
}
