# The commands of a developer. `make demo` and `make test` need nothing but Swift: what else they want, they install.

SWIFT ?= swift
JOBS ?=
UNSAFE_ALLOWED = ^Sources/(UV|LMDB|CLibUV|CLMDB)/|^Sources/PenstockWire/RawBytes.swift|^bench/BenchSupport/(LMDBFloor|EchoFloor).swift

.PHONY: help demo test snippets bench crash histories format check deps clean

help:
	@echo 'make demo       count the words of a folder with a flow of jobs (FOLDER=path, the project itself by default)'
	@echo 'make test       build everything and run all tests'
	@echo 'make snippets   run the examples in Snippets'
	@echo 'make bench      the smallest form of every benchmark; make bench ARGS="dequeue --json" for one of them'
	@echo 'make crash      the long crash campaign (ROUNDS=1000)'
	@echo 'make histories  the long run of random histories against the model (HISTORIES=100000 WORKERS=2)'
	@echo 'make format     format the sources;  make check  what CI checks besides the tests'

# libuv and LMDB, with their headers, and the time zones, where they are absent.
deps:
	@{ pkg-config --exists libuv lmdb && test -e "$${TZDIR:-/usr/share/zoneinfo}/Europe/Berlin"; } 2>/dev/null || { \
	    echo 'installing libuv1-dev, liblmdb-dev, tzdata and pkg-config'; \
	    if [ "$$(id -u)" = 0 ]; then sudo=; else sudo=sudo; fi; \
	    $$sudo apt-get update -q && \
	    $$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -q libuv1-dev liblmdb-dev tzdata pkg-config; }

FOLDER ?= .
demo: deps
	$(SWIFT) build -c release --product penstockd
	$(SWIFT) build -c release --product penstock-demo
	$$($(SWIFT) build -c release --show-bin-path)/penstock-demo $(FOLDER)

# With every trait; `make snippets` builds without them.
test: deps
	SWIFT_BACKTRACE=enable=no $(SWIFT) test --enable-all-traits

# The examples of the reference documents; each checks what it shows. Without traits: the core has to build alone.
snippets: deps
	$(SWIFT) build
	@set -e; for snippet in $(notdir $(basename $(wildcard Snippets/*.swift))); do \
	    echo "-- $$snippet"; $$($(SWIFT) build --show-bin-path)/$$snippet; done

ARGS ?= all --quick
bench: deps
	$(SWIFT) build -c release --product penstockd
	$(SWIFT) build -c release --product penstock-bench
	$$($(SWIFT) build -c release --show-bin-path)/penstock-bench $(ARGS)

ROUNDS ?= 1000
crash: deps
	PENSTOCK_CRASH_ROUNDS=$(ROUNDS) SWIFT_BACKTRACE=enable=no $(SWIFT) test --filter CrashTests

HISTORIES ?= 100000
WORKERS ?= 2
histories: deps
	mkdir -p .build-histories
	ln -sfn ../Package.swift ../Sources ../Tests .build-histories/
	PENSTOCK_HISTORIES=$(HISTORIES) PENSTOCK_WORKERS=$(WORKERS) SWIFT_BACKTRACE=enable=no $(SWIFT) test \
	    --package-path .build-histories -c release -Xswiftc -enable-testing --filter HistoryTests

format:
	$(SWIFT) format -i -r Sources Tests bench Snippets Package.swift

# The format, and the two rules that the compiler can't hold: unsafe code only where it is contained, no Foundation
# in the modules of the hot path.
check:
	$(SWIFT) format lint --strict -r Sources Tests bench Snippets Package.swift
	@if git grep -nE '\bunsafe\b *[a-zA-Z_(&]' -- 'Sources/*.swift' 'bench/*.swift' \
	    | grep -vE '$(UNSAFE_ALLOWED)' | grep -vE '^[^:]+:[0-9]+: *///?'; then \
	    echo 'unsafe code outside UV, LMDB and RawBytes.swift'; exit 1; fi
	@if git grep -nE '^(@[A-Za-z_]+ +)*((public|package|internal|private) +)?import +Foundation' -- \
	    Sources/PenstockWire Sources/PenstockSchedule Sources/PenstockEngine Sources/PenstockServer Sources/UV Sources/LMDB; then \
	    echo 'Foundation in a module that does without it'; exit 1; fi

clean:
	$(SWIFT) package clean
