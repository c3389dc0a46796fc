//! The role of a session: what it may ask, and whether others can send to it. A session that has yet to sign in, and a
//! peer hub, will be roles of their own.

/// What a session may request, and whether others can send to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Role {
    /// A user: it is listed, has an id that others can send to, and may be in rooms.
    #[default]
    User,
    /// An HTTP connection: its requests are answered, but nobody can send to it. It may become a user by a handshake.
    HttpCaller,
}
