# Assay. `make help` lists the targets.

GO      ?= go
BIN     := bin
LDFLAGS := -s -w
STATE   ?= .assay

.DEFAULT_GOAL := help

.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-12s %s\n", $$1, $$2}'

.PHONY: demo
demo: build ## run one model's whole life unattended, with demonstration reviewers
	$(BIN)/devstack demo --state $(STATE) examples/credit.yaml

.PHONY: run
run: build ## keep a local stack running: Temporal with its web interface, workers, gateway
	$(BIN)/devstack --state $(STATE) --log-file $(STATE)/devstack.log

.PHONY: build
build: ## build worker, starter and devstack into bin/
	@echo "building $(BIN)/starter, $(BIN)/worker and $(BIN)/devstack; the first build takes some minutes (it compiles DuckDB's bindings and a Temporal server)"
	@mkdir -p $(BIN)
	@$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $(BIN)/starter ./starter
	@$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $(BIN)/worker ./workers/worker
	@$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $(BIN)/devstack ./infra/devstack

.PHONY: test
test: ## run the tests; needs Go and a C compiler, nothing else
	$(GO) test -timeout 20m ./...

.PHONY: test-crash
test-crash: ## kill the whole local stack at points of a lifecycle, a training and a sweep, and restart it
	$(GO) test -count=1 -timeout 30m -tags crash ./tests/crash/...

VENV         := .venv-examples
REQUIREMENTS := $(wildcard examples/*/requirements.txt)

$(VENV)/.installed: $(REQUIREMENTS)
	python3 -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check $(addprefix -r ,$(REQUIREMENTS))
	@touch $@

.PHONY: venv
venv: $(VENV)/.installed ## install the Python packages of the examples into .venv-examples

.PHONY: test-python
test-python: build venv ## run the four Python examples through their whole lives, and kill one of them on the way
	ASSAY_DEVSTACK=$(CURDIR)/$(BIN)/devstack $(GO) test -count=1 -v -timeout 40m -tags python ./tests/examples ./tests/crash

.PHONY: fixtures
fixtures: ## write replay fixtures; only on the code that is deployed
	$(GO) run ./tests/fixtures

.PHONY: bench
bench: build ## measure, and print a table with the machine
	$(GO) run ./tests/bench

PEERS      := .venv-peers
PEER_FLAGS ?= # such as -rows 20000 -rounds 1, or -only fairness,attribution

$(PEERS)/.installed: tests/bench/peers/requirements.txt
	python3 -m venv $(PEERS)
	$(PEERS)/bin/pip install --quiet --disable-pip-version-check -r $<
	@touch $@

.PHONY: bench-peers
bench-peers: $(PEERS)/.installed ## compare with scikit-learn, SciPy, Fairlearn and SHAP on the same rows: values, errors and times
	$(GO) run ./tests/bench/peers -python $(PEERS)/bin/python3 $(PEER_FLAGS)

.PHONY: figures
figures: ## simulate, draw the pictures of docs/statistics.md and print its tables; takes minutes
	$(GO) run ./tests/simulation/figures -o docs/figures

.PHONY: lint
lint: ## gofmt, vet, staticcheck and workflowcheck
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { echo "not gofmt-ed:"; gofmt -l $$(git ls-files '*.go'); exit 1; }
	$(GO) vet ./...
	$(GO) run honnef.co/go/tools/cmd/staticcheck@v0.8.2 ./...
	$(GO) run go.temporal.io/sdk/contrib/tools/workflowcheck@v0.6.0 -config workflows/workflowcheck.yaml ./workflows/...

.PHONY: clean
clean: ## remove bin/ and the local state
	rm -rf $(BIN) $(STATE)
