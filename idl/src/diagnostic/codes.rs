//! All diagnostic codes, in one place. A code never changes its meaning, and a number is never reused.
//!
//! Each has a page, `pages/CODE.md`, without which this does not compile; `pages` renders them.

use super::Severity;
use crate::suggest;

/// A stable code: `E0301`, `W0002`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Code(&'static str);

impl Code {
    /// A file can't be read.
    pub const UNREADABLE: Code = UNREADABLE_FILE;
    /// There is no lint of that name.
    pub const NO_SUCH_RULE: Code = UNKNOWN_RULE;
    /// A project file is not TOML.
    pub const PROJECT_TEXT: Code = PROJECT_TEXT;
    /// A key of a project file is unknown.
    pub const PROJECT_KEY: Code = PROJECT_KEY;
    /// The value of a key in a project file is invalid.
    pub const PROJECT_VALUE: Code = PROJECT_VALUE;

    /// Returns the code as written: `E0301`.
    #[must_use]
    pub fn id(self) -> &'static str {
        self.0
    }

    /// Returns the title: what the code means, in a few words.
    #[must_use]
    pub fn title(self) -> &'static str {
        self.entry().map_or("", |entry| entry.title)
    }

    /// Returns the page, in Markdown: why the rule exists, what to do, and usually a wrong and a right example.
    #[must_use]
    pub fn page(self) -> &'static str {
        self.entry().map_or("", |entry| entry.page)
    }

    fn entry(self) -> Option<&'static Entry> {
        ALL.iter().find(|entry| entry.code == self)
    }

    /// Returns the severity: an `E` is an error, a `W` a warning.
    #[must_use]
    pub fn severity(self) -> Severity {
        if self.0.starts_with('E') { Severity::Error } else { Severity::Warning }
    }

    /// Returns the code written like this, in upper or lower case.
    #[must_use]
    pub fn named(id: &str) -> Option<Code> {
        Code::all().find(|code| code.0.eq_ignore_ascii_case(id))
    }

    /// Returns the code that was likely meant by a name that is none.
    #[must_use]
    pub fn nearest(id: &str) -> Option<Code> {
        suggest::nearest(id, Code::all().map(Code::id)).and_then(Code::named)
    }

    /// Returns every code, in order.
    pub fn all() -> impl Iterator<Item = Code> {
        ALL.iter().map(|entry| entry.code)
    }
}

impl std::fmt::Debug for Code {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.0)
    }
}

impl std::fmt::Display for Code {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.0)
    }
}

/// Documentation of a code, independent of any finding.
struct Entry {
    code: Code,
    title: &'static str,
    page: &'static str,
}

macro_rules! codes {
    ($($constant:ident = $id:literal, $title:literal;)*) => {
        $(pub(crate) const $constant: Code = Code($id);)*
        const ALL: &[Entry] = &[$(Entry {
            code: $constant,
            title: $title,
            page: include_str!(concat!("pages/", $id, ".md")),
        }),*];
    };
}

codes! {
    // Files.
    UNREADABLE_FILE = "E0001", "a file that can't be read";
    IMPORT_NOT_FOUND = "E0002", "an import that is not there";
    IMPORT_CYCLE = "E0003", "files that import each other";
    IMPORT_PATH = "E0004", "an import path that can't be one";
    IMPORTED_TWICE = "E0005", "a file imported twice";
    FILE_TOO_LARGE = "E0006", "a file that is too large";
    NO_UTF8 = "E0007", "a file that is not UTF-8";
    CONTROL_CHARACTER = "E0008", "an invisible character";
    MORE_ERRORS = "E0009", "more errors than are shown";

    CONTRADICTION = "E0010", "a mistake of the compiler's own";

    // Syntax.
    SYNTAX = "E0101", "something else was expected";
    OPEN_STRING = "E0102", "a string without an end";
    OPEN_BRACE = "E0103", "a brace that is never closed";
    TOO_DEEP = "E0104", "a type that nests too deep";
    BAD_NUMBER = "E0105", "something that is no number";
    BAD_ESCAPE = "E0106", "something that is no escape";
    STRAY_DOCS = "E0107", "docs on nothing";
    BLOCK_COMMENT = "E0108", "a block comment";
    NO_PACKAGE = "E0110", "a file without a package";
    ORDER = "E0111", "a package or import that comes too late";
    PACKAGE_PARTS = "E0112", "a package of too many parts";
    LONG_NAME = "E0113", "a name that is too long";
    LONG_STRING = "E0114", "a string that is too long";
    CONFLICT = "E0115", "a merge conflict";
    NESTED = "E0116", "a declaration inside another";
    OTHER_LANGUAGE = "E0117", "a file in another language";

    // Names.
    UNKNOWN_TYPE = "E0201", "an unknown type";
    UNKNOWN_PREFIX = "E0202", "an unknown import or package";
    AMBIGUOUS = "E0203", "a name with two meanings";
    DUPLICATE_NAME = "E0204", "a name declared twice";
    BUILTIN_NAME = "E0205", "a type named like one of the language";
    NO_TYPE = "E0206", "something used as a type that is none";
    TYPE_ARGUMENTS = "E0207", "wrong type arguments";
    UNKNOWN_CONSTANT = "E0208", "an unknown constant or value";
    ALIAS_TAKEN = "E0209", "an import alias that means something else already";
    UNKNOWN_SERVICE = "E0210", "an unknown service";
    NO_SERVICE = "E0211", "something extended that is no service";

    // Declarations.
    DUPLICATE_MEMBER = "E0301", "two members of one name";
    DUPLICATE_NUMBER = "E0302", "two members of one number";
    NUMBER_RANGE = "E0303", "a number out of range";
    RESERVED_NUMBER = "E0304", "a reserved number in use";
    RESERVED_NAME = "E0305", "a reserved name in use";
    RESERVED_TWICE = "E0306", "something reserved twice";
    RESERVED_EMPTY = "E0307", "a reserved range that holds nothing";
    MAP_KEY = "E0308", "a type that can't be a map's key";
    OPTIONAL_TWICE = "E0309", "an optional of an optional";
    ENDLESS = "E0310", "a type that never ends";
    ALIAS_CYCLE = "E0311", "an alias of itself";
    STREAM_PLACE = "E0312", "a stream parameter that is not the last";
    THROWS_NO_ERROR = "E0313", "`throws` of something that is no error";
    ONEWAY_ANSWER = "E0314", "a oneway method that answers";
    NOTHING_IN_IT = "E0315", "an enum, union or error of nothing";
    TOO_MANY_PARAMETERS = "E0316", "more parameters than there are numbers";
    RESERVED_NO_NAME = "E0317", "a reserved name that can't be one";
    THROWN_TWICE = "E0321", "an error that is thrown twice";
    TOO_MANY_ERRORS = "E0322", "more errors than a method may throw";
    EXTENDS_CYCLE = "E0323", "a service that extends itself";
    SERVED_TWICE = "E0324", "a method that a service has twice";
    EXTENDED_ACCESS = "E0325", "a method that is taken over for different callers";
    EXTENDED_TWICE = "E0326", "a service that is extended twice";
    TOO_MANY_EXTENDED = "E0327", "more services or methods than one may take over";
    SET_ELEMENT = "E0328", "a type that can't be in a set";
    EVENT_KEY = "E0329", "a key of an event that can't be one";

    // Attributes and values.
    UNKNOWN_ATTRIBUTE = "E0401", "an unknown attribute";
    MISPLACED_ATTRIBUTE = "E0402", "an attribute where it means nothing";
    DUPLICATE_ATTRIBUTE = "E0403", "an attribute given twice";
    ATTRIBUTE_ARGUMENT = "E0404", "a wrong attribute argument";
    DEADLINE_ZERO = "E0405", "a deadline of no time";
    EMPTY_BOUNDS = "E0406", "bounds that allow nothing";
    DEFAULT_OUTSIDE = "E0407", "a default outside the bounds";
    DEFAULT_OPTIONAL = "E0408", "a default of an optional";
    MESSAGE_FIELD = "E0409", "a message that names no field";
    MESSAGE_BRACE = "E0410", "a message with a lone brace";
    WRONG_KIND = "E0411", "a value of another type";
    VALUE_RANGE = "E0412", "a value that its type can't hold";
    CONSTANT_TYPE = "E0413", "a type that no constant can have";
    CONSTANT_VALUE = "E0414", "a constant that is not written out";
    UNKNOWN_RULE = "E0415", "a rule that there is not";
    ROLE = "E0416", "a role that can't be one";
    PUBLIC_AND_ROLES = "E0417", "`@public` beside `@roles`";
    EVENT_HISTORY = "E0418", "a history that can't be kept";
    VALUE_FIELD = "E0419", "a value without a field, or with one that there is not";
    VALUE_TWICE = "E0420", "a value with something twice";
    SHARD_PARAMETER = "E0421", "a parameter that calls can't be spread by";

    // Project files, which are read elsewhere.
    PROJECT_TEXT = "E0501", "a project file that is no TOML";
    PROJECT_KEY = "E0502", "an unknown key of a project file";
    PROJECT_VALUE = "E0503", "a wrong value in a project file";

    // Style.
    TYPE_STYLE = "W0001", "a name that is not in `PascalCase`";
    FIELD_STYLE = "W0002", "a name that is not in `snake_case`";
    CONSTANT_STYLE = "W0003", "a name that is not in `UPPER_SNAKE`";
    PACKAGE_STYLE = "W0004", "a package that is not in lower case";
    MORE_WARNINGS = "W0009", "more warnings than are shown";

    // Lints: one rule each, in `lint`.
    MISSING_DOCS = "W0101", "a declaration or method without docs";
    MISSING_MEMBER_DOCS = "W0102", "a field, value or variant without docs";
    UNUSED_IMPORT = "W0103", "an import of which nothing is used";
    UNUSED_TYPE = "W0104", "a type that no method leads to";
    UNUSED_ALLOW = "W0105", "an `@allow` of nothing";
    NUMBER_GAPS = "W0106", "numbers that are neither used nor reserved";
    UNBOUNDED_LIST = "W0107", "a list of bytes without bounds";
    UNBOUNDED_PARAMETER = "W0108", "a parameter of any length";
    UNVERSIONED_PACKAGE = "W0109", "a package with a service and no version";
    UNARY_DEADLINE = "W0110", "a method without a deadline";
    ENDLESS_STREAM = "W0111", "a stream without a deadline";
    DEPRECATED_USE = "W0112", "a use of something deprecated";
    DEPRECATED_HINT = "W0113", "a deprecation that says nothing";
    REPEATED_VALUE_NAME = "W0114", "a value or variant that repeats its type's name";
    REPEATED_FIELD_NAME = "W0115", "a field that repeats its type's name";
    FITTING_TYPE = "W0116", "a time, duration or uuid of another type";
    PACKAGE_FOLDER = "W0117", "a package in a folder of another name";
    FILE_NAME = "W0118", "a file that is not named in `snake_case`";
    SERVICE_SUFFIX = "W0119", "a service named like what is generated from it";
    EMPTY_SERVICE = "W0120", "a service without methods";
    MANY_PARAMETERS = "W0121", "a method of many parameters";
    BARE_ANSWER = "W0122", "an answer that can't grow";
    CRATE_PACKAGE = "W0123", "a package that is named like a crate";
    UNSAID_ROLES = "W0124", "a method that does not say who may call it";
    KEYLESS_CONFLATE = "W0125", "an event without a key of which only the newest waits";
    CONFLATED_HISTORY = "W0126", "a history of what slow subscribers miss";

    // Changes of packages, which `compat` reports.
    PACKAGE_ADDED = "D0101", "a new package";
    PACKAGE_REMOVED = "D0102", "a package that is gone";
    PACKAGE_RENAMED = "D0103", "a package of another name";

    // Changes of types.
    TYPE_ADDED = "D0201", "a new type";
    TYPE_REMOVED = "D0202", "a type that is gone";
    TYPE_RENAMED = "D0203", "a type of another name";
    TYPE_KIND = "D0204", "a type of another kind";
    ERROR_OR_UNION = "D0205", "an error that was a union, or the other way round";
    ALIAS_CHANGED = "D0206", "an alias of another type";
    RESERVED_ADDED = "D0207", "something reserved that was not";
    RESERVED_REMOVED = "D0208", "something no longer reserved";
    CONSTANT_ADDED = "D0209", "a new constant";
    CONSTANT_REMOVED = "D0210", "a constant that is gone";
    CONSTANT_CHANGED = "D0211", "a constant of another value";
    CONSTANT_TYPE_CHANGED = "D0212", "a constant of another type";

    // Changes of members.
    FIELD_ADDED = "D0301", "a new field or parameter that may be absent";
    MANDATORY_FIELD_ADDED = "D0302", "a new field or parameter that must be there";
    FIELD_REMOVED = "D0303", "a field or parameter that is gone, could be absent, and can't come back";
    MANDATORY_FIELD_REMOVED = "D0304", "a field or parameter that is gone and had to be there";
    MEMBER_RENAMED = "D0305", "a field, value or variant of another name";
    RENUMBERED = "D0306", "a field, value or variant of another number";
    NUMBER_REUSED = "D0307", "a number that is another field or variant now";
    TYPE_CHANGED = "D0308", "another type";
    TYPE_RESPELLED = "D0309", "a type under another name";
    BECAME_OPTIONAL = "D0310", "a field or parameter that may be absent now";
    BECAME_MANDATORY = "D0311", "a field or parameter that is no longer optional";
    DEFAULT_GIVEN = "D0312", "a default that was not";
    DEFAULT_TAKEN = "D0313", "a default that is gone";
    DEFAULT_CHANGED = "D0314", "another default";
    BOUNDS_TIGHTENED = "D0315", "bounds that allow less";
    BOUNDS_WIDENED = "D0316", "bounds that allow more";
    RESERVED_NUMBER_USED = "D0317", "a reserved number that is used";
    VALUE_ADDED = "D0318", "a new value or variant";
    VALUE_REMOVED = "D0319", "a value or variant that is gone and can't come back";
    PAYLOAD_CHANGED = "D0320", "a variant that carries something else";
    PARAMETERS_MOVED = "D0321", "parameters in another order";
    PARAMETER_RENAMED = "D0322", "a parameter of another name";
    FIELD_FREED = "D0323", "a field that is gone and whose number is not reserved";
    VALUE_FREED = "D0324", "a value or variant that is gone and whose number is not reserved";

    // Changes of services and methods.
    SERVICE_ADDED = "D0401", "a new service";
    SERVICE_REMOVED = "D0402", "a service that is gone";
    SERVICE_RENAMED = "D0403", "a service of another name";
    METHOD_ADDED = "D0404", "a new method";
    METHOD_REMOVED = "D0405", "a method that is gone";
    METHOD_RENAMED = "D0406", "a method of another name";
    ONE_WAY_CHANGED = "D0407", "an `rpc` that was a `oneway`, or the other way round";
    ANSWER_STREAM_CHANGED = "D0408", "an answer that is a stream, or no longer one";
    STREAM_PARAMETER_CHANGED = "D0409", "a stream parameter that came or went";
    ANSWER_GIVEN = "D0410", "an answer where there was none";
    ANSWER_REMOVED = "D0411", "no answer where there was one";
    THROWS_GIVEN = "D0412", "a method that throws now";
    THROWS_REMOVED = "D0413", "a method that no longer throws";
    THROWS_CHANGED = "D0414", "a method that throws another error";
    THROWS_ADDED = "D0415", "a method that throws one more error";
    THROWS_DROPPED = "D0416", "a method that throws one error less";
    THROWS_MOVED = "D0417", "errors of a method in another order";
    EXTENDS_CHANGED = "D0418", "a service that extends others";
    ROLES_TIGHTENED = "D0419", "fewer that may call";
    ROLES_WIDENED = "D0420", "more that may call";
    LAYOUT_CHANGED = "D0421", "a struct that is another form on the wire";
    EVENT_RENAMED = "D0422", "an event of another name";
    EVENT_REMOVED = "D0423", "an event that is gone";
    EVENT_OR_STRUCT = "D0424", "an event that is a struct now, or the other way round";
    KEY_REMOVED = "D0425", "a key of an event that is none any more";
    KEY_ADDED = "D0426", "another key of an event";

    // Changes of what does not travel.
    DOCS_CHANGED = "D0501", "other docs";
    DEPRECATED_CHANGED = "D0502", "another deprecation";
    MESSAGE_CHANGED = "D0503", "another message";
    DEADLINE_CHANGED = "D0504", "another deadline";
    IDEMPOTENT_CHANGED = "D0505", "whether a method may be tried again";
    OVERLAP_CHANGED = "D0506", "what is done with calls that overlap";
    META_CHANGED = "D0507", "other metadata";
    DELIVERY_CHANGED = "D0508", "what is kept of an event, or dropped";
    SHARD_CHANGED = "D0509", "which calls go to the same worker";
}
