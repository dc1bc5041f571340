# What one types to build and test packstone. On a fresh Debian with Go, git and make, `make test` installs what it lacks
# (as root) and builds the test servers into .bin.

GO      ?= go
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null)
BIN     := $(CURDIR)/.bin
LDFLAGS := -s -w -X main.release=$(VERSION)

# Packages in which goroutines share the most; the race detector makes tests some five times slower.
RACE := ./archive/store/localdir ./archive/store/retry ./catalog ./pipeline ./pipeline/source/files ./pipeline/target/directory

.PHONY: build packages reproducible try-packages test check site race fuzz soak sabotage compose alerts bench bench-db bench-net bench-keep lint vuln cross tools prepare clean

build: ## the program, static
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o packstone ./cmd/packstone

packages: $(BIN)/nfpm ## .deb, .rpm, the program and its SBOM into dist; GOARCH=arm64 makes those of another processor
	GOOS= GOARCH= $(GO) build -C tools -o $(BIN)/sbom ./sbom
	GO=$(GO) VERSION=$(VERSION) NFPM=$(BIN)/nfpm SBOM=$(BIN)/sbom tools/packages/build dist

reproducible: packages ## the same packages once more, from a clone elsewhere and without a cache: the bytes must be the same
	GO=$(GO) VERSION=$(VERSION) NFPM=$(BIN)/nfpm SBOM=$(BIN)/sbom tools/packages/reproduce dist

try-packages: packages ## the .deb in a fresh Debian with systemd: service, upgrade, removal
	command -v systemd-nspawn >/dev/null || apt-get install -y --no-install-recommends debootstrap systemd-container
	tools/packages/try $$(ls -t dist/*_$$($(GO) env GOHOSTARCH).deb | head -1)

$(BIN)/nfpm:
	GOOS= GOARCH= GOBIN=$(BIN) $(GO) install -ldflags '-s -w' github.com/goreleaser/nfpm/v2/cmd/nfpm@v2.48.0

test: prepare tools check race ## all that must hold before a change is taken in
	$(GO) test -timeout 40m -parallel 4 ./...
	.ci/postgres18 'TestPostgres(Into|Through)|TestEveryColumnOfTheCatalog|TestRowsThatCame'

check: ## what reading the code finds
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); test -z "$$unformatted" || { echo "not formatted by gofmt:"; echo "$$unformatted"; exit 1; }
	$(GO) vet ./...
	$(GO) vet -tags soak,sabotage,remember ./...
	$(BIN)/staticcheck ./...
	$(GO) vet -C tools ./sbom ./site ./examples ./composetest
	$(GO) test -C tools ./sbom ./site ./examples

site: ## the documentation as a website, in site
	$(GO) run -C tools ./site -root .. -out ../site

race: ## short tests under the race detector, where there is a C compiler for it
	@if command -v gcc >/dev/null; then set -x; CGO_ENABLED=1 $(GO) test -race -short -timeout 20m $(RACE); \
	else echo "race: no gcc, left out"; test "$$CI" != true; fi

fuzz: ## each fuzz test for FUZZ_TIME (3m), two at a time on two processors; FUZZ=catalog/tree or FUZZ='FuzzDecode$$' runs some
	FUZZ_TIME=$(or $(FUZZ_TIME),3m) FUZZ='$(FUZZ)' GO=$(GO) .ci/fuzz

sabotage: ## leaves out what keeps data from being lost, or does a line wrongly, one by one, and prints which test notices; MUTATION='grace|hold' tries some lines
	$(GO) test -tags sabotage -count=1 -v -timeout 2h -run 'TestEvery.*IsNoticed' ./archive/sabotage

alerts: ## the examples of alerts and the metrics, as Prometheus' own checker of Debian sees them (19 MB)
	@command -v promtool >/dev/null || test -x $(BIN)/promtool || { set -e; d=$$(mktemp -d); (cd $$d && apt-get download -q prometheus && dpkg-deb -x prometheus_*.deb .); \
	mkdir -p $(BIN); cp $$d/usr/bin/promtool $(BIN)/; rm -r $$d; }
	$(GO) test -count=1 -v -run TestPromtool ./cmd/internal/metrics

soak: tools ## tests that run for long, for hours: they print what they counted; SOAK_HOURS bounds the histories, SOAK_STRIDE=12 does a twelfth of the rest
	SOAK_HOURS='$(SOAK_HOURS)' SOAK_STRIDE='$(SOAK_STRIDE)' FUZZ_TIME='$(FUZZ_TIME)' GO=$(GO) .ci/soak

compose: build tools ## docker-compose.yml on a real engine, with images that are made here
	command -v dockerd >/dev/null || apt-get install -y --no-install-recommends docker.io docker-compose debootstrap iptables iproute2
	$(GO) build -C tools -o $(BIN)/ ./composetest
	$(BIN)/composetest -packstone ./packstone -versitygw $(BIN)/versitygw -base $(BIN)/composetest.tar

bench: tools ## benchmarks; keep an older bench.txt as bench.old.txt to compare
	$(GO) test -run '^$$' -bench . -benchmem -count $(or $(COUNT),6) ./... | tee $(BIN)/bench.txt
	@if [ -f $(BIN)/bench.old.txt ]; then $(BIN)/benchstat $(BIN)/bench.old.txt $(BIN)/bench.txt; else $(BIN)/benchstat $(BIN)/bench.txt; fi

bench-db: build ## databases beside pg_dump, pg_restore, sqlite3, mariadb-dump and mariadb; DB="-rows 200000 -engines postgres -only restore" takes less
	$(GO) build -C tools -o $(BIN)/ ./dbbench
	$(BIN)/dbbench -packstone $(CURDIR)/packstone $(DB)

bench-net: build tools ## beside restic and rclone, through a proxy that is as slow as a network; NET="-rtt 200ms -rate 5MB" is another one, NET="-only ftp" one scenario, NET=-list names all
	GOBIN=$(BIN) $(GO) install github.com/restic/restic/cmd/restic@v0.19.1
	command -v rclone >/dev/null || apt-get install -y rclone
	$(GO) build -C tools -o $(BIN)/ ./netproxy ./corpus ./benchnet
	$(BIN)/benchnet -bin $(BIN) -restic $(BIN)/restic $(NET)

bench-keep: build ## does space come back, beside restic, while a part of a directory changes each day; KEEP="-days 10 DIR" is another one
	GOBIN=$(BIN) $(GO) install github.com/restic/restic/cmd/restic@v0.19.1
	$(GO) build -C tools -o $(BIN)/ ./corpus ./benchkeep
	test -n "$(KEEP)" || test -d $(BIN)/mixed || $(BIN)/corpus mixed $(BIN)/mixed 300
	$(BIN)/benchkeep -packstone ./packstone -restic $(BIN)/restic $(or $(KEEP),$(BIN)/mixed)

lint: tools check cross vuln ## check, other platforms, known vulnerabilities
	$(GO) test -count=1 -run '^(TestImports|TestTheRule|TestNothingStrange|TestFunctions|TestEveryPackage)' ./cmd/packstone

cross: ## does it build for the other platforms
	GOOS=linux GOARCH=arm64 $(GO) vet ./...
	GOOS=darwin GOARCH=arm64 $(GO) vet ./...

vuln: tools ## needs the vulnerability database; says so where it can't be reached
	@$(BIN)/govulncheck ./... || case $$? in 3) exit 3;; *) echo "vuln: NOT CHECKED, govulncheck could not do its work (see above)";; esac

tools: $(BIN)/.tools ## test servers and linters into .bin

$(BIN)/.tools: tools/go.mod tools/go.sum $(wildcard tools/faultfs/*.go)
	mkdir -p $(BIN)
	$(GO) build -C tools -ldflags '-s -w' -o $(BIN)/ tool
	touch $@

prepare: ## Debian packages that the tests need
	.ci/prepare

clean:
	rm -rf packstone dist site $(BIN)
