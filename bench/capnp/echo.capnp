@0xb3f1d2a09c5e7746;
# The service of `svc/echo.svc`, for Cap'n Proto. `echo_capnp.rs` is generated from it; see `README.md`.

struct Amount {
  units @0 :Int64;
  scale @1 :UInt8;
  currency @2 :Text;
}

enum Flag {
  unspecified @0;
  block @1;
  odd @2;
}

struct Attribute {
  name @0 :Text;
  value @1 :Text;
}

struct Trade {
  symbol @0 :Text;
  price @1 :Amount;
  size @2 :UInt32;
  seconds @3 :Int64;
  nanoseconds @4 :UInt32;
  venue @5 :Text;
  flags @6 :List(Flag);
  attributes @7 :List(Attribute);
  lot @8 :UInt32 = 1;
}

interface Sink {
  item @0 (payload :Data) -> stream;
  done @1 () -> (count :UInt64);
}

interface TradeSink {
  item @0 (trade :Trade) -> stream;
}

interface Echo {
  echo @0 (payload :Data) -> (payload :Data);
  last @1 (symbol :Text) -> (trade :Trade);
  items @2 (size :UInt32, sink :Sink) -> ();
  # Ends when the call is dropped.
  trades @3 (sink :TradeSink) -> ();
  collect @4 () -> (sink :Sink);
  exchange @5 (back :Sink) -> (sink :Sink);
}
