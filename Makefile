# Visavis. The targets a person needs: run, demo, test. Everything else serves these.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
export CGO_ENABLED ?= 1

VERSION := 0.1.0
LDFLAGS := -X main.version=$(VERSION)
TOOLS   := $(CURDIR)/.tools
export GOBIN := $(TOOLS)

# Pinned: the same check says the same next year.
GOFUMPT_VERSION     := v0.10.0
STATICCHECK_VERSION := v0.8.2
GOLANGCI_VERSION    := v2.15.0
PEBBLE_VERSION      := v2.8.0

.PHONY: help run demo test check bench callbench build client server deps-build deps-test clean fuzz

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

run: deps-build build ## build, start the server in ./data and open the desktop app
	@scripts/run.sh

demo: deps-demo build ## two desktop windows call each other for 15 s; leaves demo/
	@scripts/demo.sh

test: deps-test tools-test ## everything: unit, end-to-end with real browsers, race detector
	@scripts/test.sh

check: deps-test tools ## formatting, vet, linters, module file, types of the browser code
	@scripts/check.sh

bench: deps-bench build ## ms per frame, CPU and memory of a call, the relay beside coturn; BENCH_ARGS; docs/performance.md
	@scripts/bench.sh $(BENCH_ARGS)

callbench: deps-test build ## calls over bad lines, ours beside Chromium's, with plots (root; CALLBENCH_ARGS)
	@scripts/callbench.sh

build: client server ## bin/visavis and bin/visavis-server

client:
	@echo "building bin/visavis (the first time takes some minutes)"
	@go build -ldflags '$(LDFLAGS)' -o bin/visavis ./cmd/client

server:
	@CGO_ENABLED=0 go build -ldflags '$(LDFLAGS)' -o bin/visavis-server ./cmd/server

.PHONY: deps-demo deps-bench tools tools-test
deps-build: ; @scripts/deps.sh build
deps-demo:  ; @scripts/deps.sh demo
deps-test:  ; @scripts/deps.sh test
deps-bench: ; @scripts/deps.sh bench

tools: $(TOOLS)/gofumpt-$(GOFUMPT_VERSION) $(TOOLS)/staticcheck-$(STATICCHECK_VERSION) $(TOOLS)/golangci-lint-$(GOLANGCI_VERSION)

$(TOOLS)/gofumpt-$(GOFUMPT_VERSION):
	go install mvdan.cc/gofumpt@$(GOFUMPT_VERSION) && touch $@
$(TOOLS)/staticcheck-$(STATICCHECK_VERSION):
	go install honnef.co/go/tools/cmd/staticcheck@$(STATICCHECK_VERSION) && touch $@
$(TOOLS)/golangci-lint-$(GOLANGCI_VERSION):
	go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_VERSION) && touch $@

# What tests run beside our own programs: Let's Encrypt's test authority, with its own module file.
tools-test: $(TOOLS)/pebble-$(PEBBLE_VERSION)

$(TOOLS)/pebble-$(PEBBLE_VERSION):
	CGO_ENABLED=0 go install github.com/letsencrypt/pebble/v2/cmd/pebble@$(PEBBLE_VERSION) && touch $@

fuzz: ## each fuzz target for 30 s (FUZZ=name: only those of that folder or name)
	@scripts/fuzz.sh 30s $(FUZZ)

clean: ## remove what was built; ./data stays
	rm -rf bin demo bench callbench .tools
