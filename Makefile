# Selaras. `make help` lists what there is.

# The image that docker-build makes and deploy installs.
IMG ?= selaras:latest
# What the binary tells of itself.
VERSION ?= dev
CONTAINER_TOOL ?= docker
KUBECTL ?= kubectl
PLATFORMS ?= linux/amd64,linux/arm64

SHELL := /usr/bin/env bash -o pipefail
.SHELLFLAGS := -ec

LOCALBIN := $(CURDIR)/bin
export CLUSTER NODES
CONTROLLER_GEN := $(LOCALBIN)/controller-gen
KUSTOMIZE := $(LOCALBIN)/kustomize
GOLANGCI_LINT := $(LOCALBIN)/golangci-lint

# timetzdata: the binary carries the time zones, which an empty image has not.
GOBUILD := CGO_ENABLED=0 go build -trimpath -tags timetzdata -ldflags "-s -w -X main.version=$(VERSION)"

# Packages without control plane, hub or shop behind them: fast enough for the race detector.
PURE := ./connectors/driver/... ./internal/catalog/... ./internal/workload/...

.DEFAULT_GOAL := build

.PHONY: help
help: ## Show this list.
	@awk 'BEGIN {FS = ":.*## "} \
	  /^##@/ {printf "\n%s\n", substr($$0, 5)} \
	  /^[a-z0-9-]+:.*## / {printf "  %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

##@ See it work

.PHONY: demo
demo: ## Three real shops kept the same, end to end, on this machine (DEMO_ONCE=1: run once and exit).
	@hack/shops/install.sh vendure
	@hack/controlplane/install.sh
	@echo "building bin/selaras (the first time 1 to 4 minutes, later seconds) …"
	@$(GOBUILD) -o $(LOCALBIN)/selaras ./cmd/selaras
	@KUBEBUILDER_ASSETS="$$(hack/controlplane/install.sh --print-dir 2>/dev/null)" $(LOCALBIN)/selaras demo

.PHONY: dev
dev: ## A Kubernetes API, the operator and the hub on this machine, until Ctrl-C; the data stays.
	@hack/controlplane/install.sh
	@echo "building bin/selaras (the first time 1 to 4 minutes, later seconds) …"
	@$(GOBUILD) -o $(LOCALBIN)/selaras ./cmd/selaras
	@KUBEBUILDER_ASSETS="$$(hack/controlplane/install.sh --print-dir 2>/dev/null)" $(LOCALBIN)/selaras dev

##@ Develop

.PHONY: build
build: ## Build bin/selaras.
	$(GOBUILD) -o $(LOCALBIN)/selaras ./cmd/selaras

.PHONY: run
run: manifests generate ## Run the operator from here against the current kubeconfig.
	go run ./cmd/selaras operator

.PHONY: generate
generate: $(CONTROLLER_GEN) ## Generate the deep copies of the kinds, and what is made of the metrics.
	$(CONTROLLER_GEN) object:headerFile=hack/boilerplate.go.txt paths=./api/...
	go run ./hack/observability

.PHONY: manifests
manifests: $(CONTROLLER_GEN) ## Generate the CRDs, the tables of their documentation and the operator's role.
	$(CONTROLLER_GEN) crd paths=./api/... output:crd:artifacts:config=config/crd/bases
	$(CONTROLLER_GEN) rbac:roleName=selaras-operator paths=./controllers/... output:rbac:artifacts:config=config/rbac
	go run ./hack/apidocs

.PHONY: fmt
fmt: $(GOLANGCI_LINT) ## Format the code and sort its imports.
	$(GOLANGCI_LINT) fmt

.PHONY: vet
vet: ## Run go vet.
	go vet ./...

.PHONY: lint
lint: $(GOLANGCI_LINT) ## Run every linter of .golangci.yml.
	$(GOLANGCI_LINT) run

##@ Test

.PHONY: test
test: manifests generate controlplane promtool shops ## Unit tests, tests against a real API server, the full loop with real shops.
	KUBEBUILDER_ASSETS="$$(hack/controlplane/install.sh --print-dir)" go test -timeout 30m ./...

.PHONY: test-medusa
test-medusa: ## The Medusa driver against a real server (installs Medusa once, 3 to 10 minutes).
	@hack/shops/install.sh medusa postgres nginx
	go test -tags medusa -timeout 30m -run Medusa ./connectors/medusa ./test/shops

.PHONY: test-race
test-race: ## The pure packages under the race detector.
	go test -race $(PURE)

.PHONY: sim
sim: ## 100,000 schedules of shops, connectors and a worker that fail in every way, in virtual time (SIM="-seed 42 -shrink" tells one).
	go run ./test/sim $(SIM)

.PHONY: sim-short
sim-short: ## What make test plays of them, and every rule of the protocol taken away in turn.
	go test -count=1 -v ./test/sim

.PHONY: e2e
e2e: ## Selaras and real shops on a real cluster (RUN and COUNT choose cases, KEEP=1 keeps the cluster; test/e2e/README.md).
	@hack/e2e/run.sh

.PHONY: bench
bench: controlplane ## Measure the figures of docs/benchmarks.md.
	KUBEBUILDER_ASSETS="$$(hack/controlplane/install.sh --print-dir)" go run ./test/bench

##@ Ship

.PHONY: docker-build
docker-build: ## Build the image for this machine's architecture.
	$(CONTAINER_TOOL) build --build-arg VERSION=$(VERSION) -t $(IMG) .

.PHONY: docker-push
docker-push: ## Push the image.
	$(CONTAINER_TOOL) push $(IMG)

.PHONY: docker-buildx
docker-buildx: ## Build and push the image for PLATFORMS (needs BuildKit).
	sed 's/^FROM golang/FROM --platform=$${BUILDPLATFORM} golang/' Dockerfile | \
	  $(CONTAINER_TOOL) buildx build --push --platform=$(PLATFORMS) --build-arg VERSION=$(VERSION) -t $(IMG) -f - .

.PHONY: install
install: manifests $(KUSTOMIZE) ## Install the CRDs into the current cluster.
	$(KUSTOMIZE) build config/crd | $(KUBECTL) apply --server-side -f -

.PHONY: uninstall
uninstall: $(KUSTOMIZE) ## Remove the CRDs, and with them every Channel and CatalogSync.
	$(KUSTOMIZE) build config/crd | $(KUBECTL) delete --ignore-not-found -f -

# IMG becomes both the operator's image and the one it gives to workloads (--workload-image).
.PHONY: deploy
deploy: manifests $(KUSTOMIZE) ## Install everything into the current cluster with the image IMG.
	$(KUSTOMIZE) build config/default | sed 's#selaras:latest#$(IMG)#' | $(KUBECTL) apply --server-side -f -

.PHONY: undeploy
undeploy: $(KUSTOMIZE) ## Remove everything that deploy installed, the data of the hub included.
	$(KUSTOMIZE) build config/default | $(KUBECTL) delete --ignore-not-found -f -

##@ A real cluster on this machine (CLUSTER names it, default selaras; NODES is 1 or 3; docs/development.md)

.PHONY: cluster-up
cluster-up: ## Make a cluster of real nodes.
	@hack/cluster/cluster.sh up

.PHONY: cluster-load
cluster-load: ## Bring the image IMAGE of the engine to every node.
	@hack/cluster/cluster.sh load $(IMAGE)

.PHONY: cluster-down
cluster-down: ## Remove the cluster, and the engine if it was started for it.
	@hack/cluster/cluster.sh down

##@ What the above need (installed on first use, kept outside the tree)

.PHONY: controlplane
controlplane: ## etcd, kube-apiserver, kube-controller-manager, kubectl.
	@hack/controlplane/install.sh

.PHONY: promtool
promtool: ## The tool that tries the alerts.
	@hack/prometheus/install.sh

.PHONY: shops
shops: ## The real web shops and their databases that tests and demo run against.
	@hack/shops/install.sh vendure shopify postgres nginx

# The tools at the versions of hack/tools/go.mod.
$(CONTROLLER_GEN): hack/tools/go.mod hack/tools/go.sum
	cd hack/tools && go build -o $@ sigs.k8s.io/controller-tools/cmd/controller-gen

$(KUSTOMIZE): hack/tools/go.mod hack/tools/go.sum
	cd hack/tools && go build -o $@ sigs.k8s.io/kustomize/kustomize/v5

$(GOLANGCI_LINT): hack/tools/go.mod hack/tools/go.sum hack/tools/lint/main.go
	@echo "building golangci-lint (once, 1 to 4 minutes) …"
	cd hack/tools && go build -o $@ ./lint
