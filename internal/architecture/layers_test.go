package architecture

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "selaras.dev/selaras/"

// arrow forbids the packages under `from` to import those under `to`.
// Paths without a dot in their first element are the module's own; a path ending in "$" is that package alone.
type arrow struct {
	from   []string
	except []string // packages under from that the arrow does not bind
	to     []string
	spare  []string // packages under to that are allowed
	deep   bool     // counts what is reached through other packages, too
	why    string
}

var (
	kubernetes = []string{"k8s.io", "sigs.k8s.io"}
	nats       = []string{"github.com/nats-io"}
	domain     = []string{"internal/catalog", "internal/journey"}
)

var arrows = []arrow{
	{
		from: domain, to: slices.Concat(kubernetes, nats), deep: true,
		why: "the domain is pure: no Kubernetes, no NATS",
	},
	{
		// Not deep: the vocabulary that it shares with drivers stands beside their webhook interface.
		from: domain, to: []string{"net/http$"},
		why: "the domain is pure: no HTTP",
	},
	{
		from: domain, to: []string{"api", "internal/hub", "internal/dev", "internal/metrics"}, deep: true,
		why: "the domain is plain values in, plain values out",
	},
	{from: domain[:1], to: domain[1:], why: "catalog and journey do not know each other"},
	{from: domain[1:], to: domain[:1], why: "catalog and journey do not know each other"},
	{
		from: []string{""}, except: []string{"internal/hub", "test"}, to: nats,
		why: "internal/hub is the only package that imports NATS; use its types",
	},
	{
		from: []string{"internal", "api", "connectors"}, to: []string{"controllers", "workers", "cmd"}, deep: true,
		why: "arrows run down only; cmd/ puts floors together",
	},
	{
		from: []string{"controllers"}, to: []string{"workers", "cmd"}, deep: true,
		why: "controllers and workers meet in the hub",
	},
	{
		from: []string{"workers"}, to: []string{"controllers", "cmd", "api"}, deep: true,
		why: "controllers and workers meet in the hub",
	},
	{
		from: []string{"workers"}, to: []string{"k8s.io/client-go", "sigs.k8s.io/controller-runtime"}, deep: true,
		why: "the data plane has no Kubernetes API rights and needs no client",
	},
	{
		from: []string{"connectors"}, except: []string{"connectors/conformance"},
		to:  slices.Concat(kubernetes, nats, []string{"internal", "api"}),
		why: "a driver knows connectors/driver and its own API, nothing else of ours",
	},
	{
		from: []string{"connectors/driver"}, to: []string{"connectors"}, spare: []string{"connectors/driver"},
		why: "the contract knows no driver",
	},
	{
		from: []string{"api"}, to: []string{"internal", "connectors", "sigs.k8s.io/controller-runtime/pkg/client"},
		why: "the kinds hold no logic",
	},
}

// under reports whether the import path is one of the patterns or lies below it.
func under(path string, patterns []string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		exact, alone := strings.CutSuffix(pattern, "$")
		if alone {
			return path == exact
		}
		if first, _, _ := strings.Cut(pattern, "/"); !strings.Contains(first, ".") {
			pattern = module + pattern
		}
		pattern = strings.TrimSuffix(pattern, "/")
		return path == pattern || strings.HasPrefix(path, pattern+"/")
	})
}

// pkg is what `go list -json` says of a package.
type pkg struct {
	ImportPath string
	Imports    []string
	Deps       []string
}

// violations says, a line each, which import breaks the arrow and what for.
func (a arrow) violations(p pkg) []string {
	if !under(p.ImportPath, a.from) || under(p.ImportPath, a.except) {
		return nil
	}
	imports, verb := p.Imports, "imports"
	if a.deep {
		imports = p.Deps
	}
	var lines []string
	for _, path := range imports {
		if !under(path, a.to) || under(path, a.spare) {
			continue
		}
		if a.deep && !slices.Contains(p.Imports, path) {
			verb = "reaches"
		}
		lines = append(lines, fmt.Sprintf("%s %s %s: %s (DESIGN §3)", strings.TrimPrefix(p.ImportPath, module), verb, path, a.why))
	}
	return lines
}

// neighbours are rooms of one floor that do not know each other.
var neighbours = []struct {
	root   string
	isRoom func(name string) bool
	why    string
}{
	{
		root:   "connectors",
		isRoom: func(name string) bool { return name != "" && name != "driver" && name != "conformance" },
		why:    "drivers know nothing of each other",
	},
	{
		root:   "controllers",
		isRoom: func(name string) bool { return name == "channel" || name == "catalogsync" || name == "journeypolicy" },
		why:    "what two kinds share is a package beside them",
	},
}

// visits says, a line each, which neighbour the package imports.
func visits(p pkg) []string {
	var lines []string
	for _, floor := range neighbours {
		own := room(p.ImportPath, floor.root)
		if !floor.isRoom(own) {
			continue
		}
		for _, path := range p.Imports {
			if other := room(path, floor.root); floor.isRoom(other) && other != own {
				lines = append(lines, fmt.Sprintf("%s imports %s: %s (DESIGN §3)", strings.TrimPrefix(p.ImportPath, module), path, floor.why))
			}
		}
	}
	return lines
}

// room is the folder below root that the package lies in, "" when it lies elsewhere.
func room(path, root string) string {
	rest, ok := strings.CutPrefix(path, module+root+"/")
	if !ok {
		return ""
	}
	first, _, _ := strings.Cut(rest, "/")
	return first
}

func TestArrowsRunDownOnly(t *testing.T) {
	packages := listModule(t)
	for _, p := range packages {
		lines := visits(p)
		for _, a := range arrows {
			lines = append(lines, a.violations(p)...)
		}
		for _, line := range lines {
			t.Error(line)
		}
	}
}

// The rules themselves are tried on packages that break them, so that a pattern that matches nothing is noticed.
func TestEveryArrowCatchesWhatItForbids(t *testing.T) {
	for _, c := range []struct {
		path, imports string
		want          bool
	}{
		{"internal/catalog/ledger", "net/http", true},
		{"internal/catalog/ledger", "net/http/httptest", false},
		{"internal/catalog", "k8s.io/apimachinery/pkg/types", true},
		{"internal/catalog", module + "connectors/driver", false},
		{"internal/journey", module + "internal/catalog", true},
		{"internal/metrics", "github.com/nats-io/nats.go", true},
		{"internal/hub", "github.com/nats-io/nats.go", false},
		{"internal/dev", module + "controllers/channel", true},
		{"workers/connector", module + "controllers/channel", true},
		{"controllers/channel", module + "workers/connector", true},
		{"controllers/channel", module + "controllers/catalogsync", true},
		{"controllers/channel", module + "controllers/conditions", false},
		{"connectors/vendure", module + "internal/hub", true},
		{"connectors/vendure", module + "connectors/medusa", true},
		{"connectors/vendure", module + "connectors/driver", false},
		{"connectors/driver", module + "connectors/vendure", true},
		{"api/v1alpha1", module + "internal/catalog", true},
		{"cmd/selaras", module + "workers/connector", false},
	} {
		p := pkg{ImportPath: module + c.path, Imports: []string{c.imports}, Deps: []string{c.imports}}
		lines := visits(p)
		for _, a := range arrows {
			lines = append(lines, a.violations(p)...)
		}
		if got := len(lines) > 0; got != c.want {
			t.Errorf("%s importing %s: forbidden = %v, want %v", c.path, c.imports, got, c.want)
		}
	}
}

// listModule asks the go command for every package of the module.
func listModule(t *testing.T) []pkg {
	t.Helper()
	root := filepath.Join("..", "..")
	touchSources(t, root)

	cmd := exec.CommandContext(t.Context(), "go", "list", "-e", "-deps", "-json=ImportPath,Imports,Deps", "./...")
	cmd.Dir = root
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list in %s: %v\n%s", root, err, stderr.String())
	}
	var packages []pkg
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		err := decoder.Decode(&p)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("the answer of go list: %v", err)
		}
		if strings.HasPrefix(p.ImportPath, module) {
			packages = append(packages, p)
		}
	}
	if len(packages) < 2 {
		t.Fatalf("go list in %s found %d packages of %s, so nothing was checked", root, len(packages), module)
	}
	return packages
}

// touchSources looks at every source file, so that a cached result of this test is dropped when one changes:
// the test cache cannot see what the go command reads.
func touchSources(t *testing.T, root string) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := entry.Name()
		if entry.IsDir() && path != root && (strings.HasPrefix(name, ".") || name == "bin" || name == "node_modules") {
			return fs.SkipDir
		}
		if strings.HasSuffix(name, ".go") {
			_, err = os.Stat(path)
		}
		return err
	})
	if err != nil {
		t.Fatalf("reading the sources under %s: %v", root, err)
	}
}
