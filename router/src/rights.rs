//! [`Rules`]: who may call what, who may answer it, and where; [`Rights`]: what one peer may.

use std::fmt;
use std::sync::Arc;

use zsvc::Identity;

use crate::quota::{Allowance, Quota};

/// Who belongs where, and may do what.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rules {
    /// What clients may do. Without any, everybody may call everything of its realm, and no worker may register.
    pub grants: Vec<Grant>,
    /// The realms besides the one without a name, to which all others belong.
    pub realms: Vec<Realm>,
    /// How much clients may call. Without any, as much as they want.
    pub quotas: Vec<Quota>,
    /// Events of workers to which the router subscribes once for all clients. They are events of the [schema](crate::Config::events) that
    /// the router has.
    pub relay: Vec<Scope>,
}

/// A part of the router: its clients see its workers, and no others.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Realm {
    /// Its name.
    pub name: String,
    /// Roles, one of which a client of the realm has. A client belongs to the first realm of which it has a role.
    pub roles: Vec<String>,
}

/// What some clients may do.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Grant {
    /// Roles, one of which a client needs. Empty: anybody, known or not.
    pub roles: Vec<String>,
    /// The realm in which it holds; empty for the one without a name.
    pub realm: String,
    /// What the clients may call.
    pub call: Vec<Scope>,
    /// The events to which they may subscribe.
    pub subscribe: Vec<Scope>,
    /// The events that they may publish by the router. They are events of the [schema](crate::Config::events) that the router has.
    pub publish: Vec<Scope>,
    /// What they may answer, as workers that register.
    pub serve: Vec<Scope>,
}

/// A set of methods.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// `*`: all.
    All,
    /// `market.v1.*`: all services of a package, and of those below it. Without the star: `market.v1.`.
    Package(String),
    /// `market.v1.Tape`: all methods of a service.
    Service(String),
    /// `market.v1.Tape/last`: one method.
    Method(String),
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("*"),
            Self::Package(package) => write!(f, "{package}*"),
            Self::Service(one) | Self::Method(one) => f.write_str(one),
        }
    }
}

impl Scope {
    /// Reads a scope. `None` if the text is none.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let is_path = |path: &str| path.contains('.') && path.split('.').all(is_name);
        if text == "*" {
            return Some(Self::All);
        }
        if let Some(package) = text.strip_suffix(".*") {
            return package.split('.').all(is_name).then(|| Self::Package(format!("{package}.")));
        }
        match text.split_once('/') {
            Some((service, method)) => {
                (is_path(service) && is_name(method)).then(|| Self::Method(text.to_owned()))
            }
            None => is_path(text).then(|| Self::Service(text.to_owned())),
        }
    }

    /// Reports whether a method is in it, by its whole name.
    fn has_method(&self, method: &[u8]) -> bool {
        match self {
            Self::All => true,
            Self::Package(package) => method.starts_with(package.as_bytes()),
            Self::Service(service) => {
                method.strip_prefix(service.as_bytes()).is_some_and(|rest| rest.first() == Some(&b'/'))
            }
            Self::Method(one) => method == one.as_bytes(),
        }
    }

    /// Reports whether all of a service is in it.
    fn has_service(&self, service: &str) -> bool {
        match self {
            Self::All => true,
            Self::Package(package) => service.starts_with(package.as_str()),
            Self::Service(one) => service == one,
            Self::Method(_) => false,
        }
    }
}

/// Reports whether a text is a name of the language: letters, digits and `_`, and no digit first.
pub(crate) fn is_name(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// What one peer may call and answer, and where.
#[derive(Debug, Clone)]
pub struct Rights {
    realm: String,
    call: Vec<Scope>,
    subscribe: Vec<Scope>,
    publish: Vec<Scope>,
    serve: Vec<Scope>,
    allowance: Option<Arc<Allowance>>,
    /// The name of the peer, if it is known.
    name: Option<String>,
}

/// What the router tells of itself and takes as orders is granted by name alone.
const OWN: &[u8] = b"zsvc.router.";
/// What is zsvc's own is served by those alone to which it is granted by name.
const BUILT_IN: &str = "zsvc.";
/// The method by which an event is subscribed to.
const SUBSCRIBE: &[u8] = b"/subscribe";
/// The method by which a client publishes one.
const PUBLISH: &[u8] = b"/publish";

impl Rules {
    /// Returns the name of the realm to which a client belongs.
    #[must_use]
    pub fn realm_of(&self, identity: Option<&Identity>) -> &str {
        let realm = self.realms.iter().find(|realm| has_one_of(identity, &realm.roles));
        realm.map_or("", |realm| &realm.name)
    }

    /// Reports whether any client of a realm may publish an event, by the whole name of the method for that.
    pub(crate) fn is_published(&self, realm: &str, method: &[u8]) -> bool {
        let of_realm = self.grants.iter().filter(|grant| grant.realm == realm);
        of_realm.flat_map(|grant| &grant.publish).any(|scope| scope.has_method(method))
    }

    /// Returns the first set of events that clients may publish, or that are relayed, in which there is none of these, each by the names of
    /// its methods `subscribe` and `publish`.
    pub(crate) fn without_event(&self, events: &[[&str; 2]]) -> Option<&Scope> {
        let has =
            |scope: &Scope, at: usize| events.iter().any(|event| scope.has_method(event[at].as_bytes()));
        let mut published = self.grants.iter().flat_map(|grant| &grant.publish);
        let wrong = published.find(|scope| !has(scope, 1));
        wrong.or_else(|| self.relay.iter().find(|scope| !has(scope, 0)))
    }

    /// Reports whether the router subscribes to an event for all clients, by the whole name of the method for that.
    pub(crate) fn is_relayed(&self, method: &[u8]) -> bool {
        self.relay.iter().any(|scope| scope.has_method(method))
    }

    /// Returns the names of all realms, of which the first is the one without.
    pub(crate) fn realms(&self) -> impl Iterator<Item = &str> {
        std::iter::once("").chain(self.realms.iter().map(|realm| realm.name.as_str()))
    }

    /// Returns how much a client may call, if that is bounded.
    #[must_use]
    pub fn quota_of(&self, identity: Option<&Identity>) -> Option<&Quota> {
        self.quotas.iter().find(|quota| quota.roles.is_empty() || has_one_of(identity, &quota.roles))
    }
}

fn has_one_of(identity: Option<&Identity>, roles: &[String]) -> bool {
    identity.is_some_and(|identity| roles.iter().any(|role| identity.has_role(role)))
}

impl Rights {
    /// Returns the rights of a peer to call everything of the realm without a name and to answer nothing.
    #[must_use]
    pub fn to_call() -> Arc<Self> {
        Self::of(&Rules::default(), None, None)
    }

    /// Returns the rights of the router itself to call everything of a realm.
    pub(crate) fn of_router(realm: &str) -> Arc<Self> {
        let rights = Arc::unwrap_or_clone(Self::to_call());
        Arc::new(Self { realm: realm.to_owned(), ..rights })
    }

    /// Returns what rules give to a client.
    #[must_use]
    pub fn of(rules: &Rules, identity: Option<&Identity>, allowance: Option<Arc<Allowance>>) -> Arc<Self> {
        let realm = rules.realm_of(identity);
        let mut rights = Self {
            realm: realm.to_owned(),
            call: Vec::new(),
            subscribe: Vec::new(),
            publish: Vec::new(),
            serve: Vec::new(),
            allowance,
            name: identity.map(|identity| identity.name().to_owned()),
        };
        if rules.grants.is_empty() {
            rights.call.push(Scope::All);
        }
        for grant in rules.grants.iter().filter(|grant| grant.realm == realm) {
            if grant.roles.is_empty() || has_one_of(identity, &grant.roles) {
                rights.call.extend_from_slice(&grant.call);
                rights.subscribe.extend_from_slice(&grant.subscribe);
                rights.publish.extend_from_slice(&grant.publish);
                rights.serve.extend_from_slice(&grant.serve);
            }
        }
        Arc::new(rights)
    }

    /// Returns the name of the realm in which the peer is.
    #[must_use]
    pub fn realm(&self) -> &str {
        &self.realm
    }

    /// Returns the name of the peer, if it is known.
    pub(crate) fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Returns what is left of its quota, if it has one.
    pub(crate) fn allowance(&self) -> Option<&Arc<Allowance>> {
        self.allowance.as_ref()
    }

    /// Reports whether the peer may call a method, by its whole name.
    #[must_use]
    pub fn may_call(&self, method: &[u8]) -> bool {
        let is_own = method.starts_with(OWN);
        let is_in = |scope: &Scope| scope.has_method(method) && !(is_own && *scope == Scope::All);
        self.call.iter().any(is_in) || method.ends_with(SUBSCRIBE) && self.subscribe.iter().any(is_in)
    }

    /// Reports whether a method, by its whole name, is the one by which an event is published, of a service that is one.
    pub(crate) fn is_to_publish(method: &[u8]) -> bool {
        method.ends_with(PUBLISH)
    }

    /// Reports whether the peer may publish an event, by the whole name of the method for that.
    #[must_use]
    pub fn may_publish(&self, method: &[u8]) -> bool {
        Self::is_to_publish(method) && self.publish.iter().any(|scope| scope.has_method(method))
    }

    /// Reports whether the peer may answer all calls of a service.
    #[must_use]
    pub fn may_serve(&self, service: &str) -> bool {
        let is_built_in = service.starts_with(BUILT_IN);
        let is_in = |scope: &Scope| scope.has_service(service) && !(is_built_in && *scope == Scope::All);
        self.serve.iter().any(is_in)
    }

    /// Reports whether it is known who the peer is.
    #[must_use]
    pub fn is_known(&self) -> bool {
        self.name.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(grants: Vec<Grant>, identity: Option<&Identity>) -> Arc<Rights> {
        Rights::of(&Rules { grants, ..Rules::default() }, identity, None)
    }

    #[test]
    fn scopes_have_what_they_say_and_nothing_beside_it() {
        for (scope, inside, outside) in [
            ("*", &["a.B/m", "c.d.E/m"][..], &[][..]),
            ("a.*", &["a.B/m", "a.b.C/m"], &["ab.C/m", "a/m"]),
            ("a.B", &["a.B/m"], &["a.BC/m", "a.B.C/m", "a.B"]),
            ("a.B/m", &["a.B/m"], &["a.B/mm", "a.B/M"]),
        ] {
            let scope = Scope::read(scope).unwrap();
            assert!(inside.iter().all(|method| scope.has_method(method.as_bytes())), "{scope:?}");
            assert!(!outside.iter().any(|method| scope.has_method(method.as_bytes())), "{scope:?}");
        }
        for text in ["", "a", "a.", ".a", "a..B", "a.B/", "a.B/m/n", "a.1", "a.B*", "*.a", "a.B/*"] {
            assert_eq!(Scope::read(text), None, "{text}");
        }
    }

    #[test]
    fn a_worker_serves_whole_services() {
        let serve = |scope: &str| {
            let grant = Grant { serve: vec![Scope::read(scope).unwrap()], ..Grant::default() };
            of(vec![grant], None).may_serve("a.B")
        };
        assert!(serve("*") && serve("a.*") && serve("a.B"));
        assert!(!serve("a.B/m") && !serve("a.C") && !serve("b.*"));
    }

    #[test]
    fn roles_add_up() {
        let grant = |roles: &[&str], call: &str| Grant {
            roles: roles.iter().map(|role| (*role).to_owned()).collect(),
            call: vec![Scope::read(call).unwrap()],
            ..Grant::default()
        };
        let grants =
            [grant(&[], "a.Open"), grant(&["desk", "admin"], "a.Desk"), grant(&["admin"], "a.Admin")];
        let may = |identity: Option<Identity>| {
            let rights = of(grants.to_vec(), identity.as_ref());
            ["a.Open/m", "a.Desk/m", "a.Admin/m"].map(|method| rights.may_call(method.as_bytes()))
        };
        assert_eq!(may(None), [true, false, false]);
        assert_eq!(may(Some(Identity::new("x"))), [true, false, false]);
        assert_eq!(may(Some(Identity::new("x").with_role("desk"))), [true, true, false]);
        assert_eq!(may(Some(Identity::new("x").with_role("admin"))), [true, true, true]);
        let all = Rights::to_call();
        assert!(all.may_call(b"a.B/m") && !all.may_serve("a.B"));
    }

    #[test]
    fn events_are_subscribed_to_and_nothing_else_is_called() {
        let grant = Grant { subscribe: vec![Scope::read("a.*").unwrap()], ..Grant::default() };
        let rights = of(vec![grant], None);
        assert!(rights.may_call(b"a.Price/subscribe"));
        assert!(!rights.may_call(b"a.Price/last") && !rights.may_call(b"b.Price/subscribe"));
    }

    #[test]
    fn events_are_published_by_those_alone_to_whom_that_is_granted() {
        let grant = |call: &str, publish: &[&str]| Grant {
            call: Scope::read(call).into_iter().collect(),
            publish: publish.iter().filter_map(|scope| Scope::read(scope)).collect(),
            ..Grant::default()
        };
        let may = |grant: Grant| of(vec![grant], None).may_publish(b"a.Price/publish");
        assert!(
            !may(grant("*", &[]))
                && !may(grant("a.*", &["b.*"]))
                && !Rights::to_call().may_publish(b"a.Price/publish")
        );
        assert!(may(grant("b.C", &["*"])) && may(grant("b.C", &["a.*"])));
        assert!(may(grant("b.C", &["b.*", "a.Price/publish"])));
        assert!(!of(vec![grant("b.C", &["*"])], None).may_publish(b"a.Price/last"));
    }

    #[test]
    fn the_router_itself_is_granted_by_name_alone() {
        let own = b"zsvc.router.v1.Admin/drain";
        let may = |call: &str| {
            let grant = Grant { call: vec![Scope::read(call).unwrap()], ..Grant::default() };
            of(vec![grant], None).may_call(own)
        };
        assert!(!Rights::to_call().may_call(own) && !may("*"));
        assert!(may("zsvc.router.v1.Admin/drain") && may("zsvc.router.v1.Admin") && may("zsvc.*"));
    }

    #[test]
    fn what_is_built_in_is_served_where_it_is_granted_by_name_alone() {
        let serves = |serve: &str, service: &str| {
            let grant = Grant { serve: vec![Scope::read(serve).unwrap()], ..Grant::default() };
            of(vec![grant], None).may_serve(service)
        };
        for service in ["zsvc.router.v1.Admin", "zsvc.health.v1.Health", "zsvc.reflection.v1.Reflection"] {
            assert!(!serves("*", service), "{service}");
            assert!(serves(service, service) && serves("zsvc.*", service), "{service}");
        }
        assert!(serves("*", "zsvcs.v1.Own"));
    }

    #[test]
    fn a_grant_holds_in_its_realm_alone() {
        let grant = |realm: &str, call: &str| Grant {
            realm: realm.to_owned(),
            call: vec![Scope::read(call).unwrap()],
            ..Grant::default()
        };
        let realm = |name: &str, role: &str| Realm { name: name.to_owned(), roles: vec![role.to_owned()] };
        let rules = Rules {
            grants: vec![grant("", "a.Open"), grant("eu", "a.Eu"), grant("us", "a.Us")],
            realms: vec![realm("eu", "berlin"), realm("us", "boston")],
            ..Rules::default()
        };
        let may = |role: &str| {
            let identity = Identity::new("x").with_role(role);
            let rights = Rights::of(&rules, Some(&identity), None);
            let may = ["a.Open/m", "a.Eu/m", "a.Us/m"].map(|method| rights.may_call(method.as_bytes()));
            (rights.realm().to_owned(), may)
        };
        assert_eq!(may("berlin"), ("eu".to_owned(), [false, true, false]));
        assert_eq!(may("boston"), ("us".to_owned(), [false, false, true]));
        assert_eq!(may("other"), (String::new(), [true, false, false]));
    }
}
