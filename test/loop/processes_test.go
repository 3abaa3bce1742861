package loop

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/go-logr/logr"
	ctrl "sigs.k8s.io/controller-runtime"

	"selaras.dev/selaras/internal/hub"
	core "selaras.dev/selaras/internal/shops"
	"selaras.dev/selaras/internal/workload"
)

// binary is the selaras binary, built once for all tests.
var binary string

func TestMain(m *testing.M) {
	code, err := build(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "loop:", err)
		code = 1
	}
	os.Exit(code)
}

func build(m *testing.M) (code int, err error) {
	ctrl.SetLogger(logr.Discard())
	dir, err := os.MkdirTemp("", "selaras-loop-")
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	binary = filepath.Join(dir, "selaras")
	if out, err := exec.Command("go", "build", "-o", binary, "selaras.dev/selaras/cmd/selaras").CombinedOutput(); err != nil {
		return 1, fmt.Errorf("building the binary: %w\n%s", err, out)
	}
	return m.Run(), nil
}

// process is a child that can be killed and started again.
type process struct {
	t    *testing.T
	name string
	args []string

	mu   sync.Mutex
	cmd  *exec.Cmd
	done chan struct{}
	log  *os.File
}

func newProcess(t *testing.T, dir, name string, args ...string) *process {
	t.Helper()
	log, err := os.Create(filepath.Join(dir, name+".log"))
	if err != nil {
		t.Fatal(err)
	}
	p := &process{t: t, name: name, args: args, log: log}
	p.start()
	t.Cleanup(func() {
		p.kill(syscall.SIGTERM)
		if t.Failed() {
			if text, err := os.ReadFile(log.Name()); err == nil {
				t.Logf("the last of %s:\n%s", name, text[max(0, len(text)-4000):])
			}
		}
		_ = log.Close()
	})
	return p
}

func (p *process) start() {
	p.mu.Lock()
	defer p.mu.Unlock()
	cmd := exec.Command(binary, p.args...)
	cmd.Stdout, cmd.Stderr = p.log, p.log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		p.t.Errorf("starting %s: %v", p.name, err)
		return
	}
	done := make(chan struct{})
	go func() { _ = cmd.Wait(); close(done) }()
	p.cmd, p.done = cmd, done
}

// kill ends the process by a signal and waits until it is gone.
func (p *process) kill(signal syscall.Signal) {
	p.mu.Lock()
	cmd, done := p.cmd, p.done
	p.cmd = nil
	p.mu.Unlock()
	if cmd == nil {
		return
	}
	_ = cmd.Process.Signal(signal)
	select {
	case <-done:
	case <-time.After(40 * time.Second):
		p.t.Errorf("%s did not end within 40 s of %s", p.name, signal)
		_ = cmd.Process.Kill()
		<-done
	}
}

// plane is a hub, a catalog worker and one connector for each shop.
type plane struct {
	t          *testing.T
	dir        string
	hub        *process
	catalog    *process
	connectors map[string]*process
	space      *hub.Space
	ports      map[string]string
}

const namespace = "retail"

// newPlane starts the data plane as the operator would have deployed it.
func newPlane(t *testing.T, shops map[string]*core.Vendure) *plane {
	t.Helper()
	p := &plane{t: t, dir: t.TempDir(), connectors: map[string]*process{}, ports: map[string]string{}}
	keysDir := filepath.Join(p.dir, "keys")
	keys, err := hub.GenerateKeys(keysDir)
	if err != nil {
		t.Fatal(err)
	}
	// The hub must come back under its address after a kill: the address is
	// chosen by the system once and then kept.
	port := freePort(t)
	url := "nats://127.0.0.1:" + port
	p.hub = newProcess(t, p.dir, "hub", "hub", "--store-dir="+filepath.Join(p.dir, "hub"), "--keys-dir="+keysDir, "--listen=127.0.0.1:"+port)
	authority, err := hub.NewAuthority(hub.AuthorityOptions{URL: url, Keys: keys, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(authority.Close)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := authority.EnsureNamespace(ctx, namespace, hub.Limits{MaxBytes: 1 << 30}); err != nil {
		t.Fatal(err)
	}
	if p.space, err = authority.Space(ctx, namespace); err != nil {
		t.Fatal(err)
	}
	common := func(role, credentials string, w hub.Workload, more ...string) []string {
		content, err := authority.Credentials(namespace, w)
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(p.dir, credentials+".creds")
		if err := os.WriteFile(file, content, 0o600); err != nil {
			t.Fatal(err)
		}
		return append([]string{role, "--namespace=" + namespace, "--hub-url=" + url, "--hub-credentials=" + file,
			"--data-dir=" + filepath.Join(p.dir, credentials), "--bind-address=127.0.0.1", "--port=" + p.port(credentials)}, more...)
	}
	p.catalog = newProcess(t, p.dir, "catalog", common("catalog", "catalog", hub.Workload{Kind: hub.Catalog})...)
	for name, shop := range shops {
		secret := filepath.Join(p.dir, name+"-secret")
		p.write(secret, map[string]string{"username": shop.Username(), "password": shop.Password()})
		p.put(workload.ConfigChannelPrefix+name, workload.ChannelConfig{
			Generation: 1, UID: "uid-" + name, Type: "vendure", Endpoint: shop.AdminURL(), Currency: "USD",
			PollInterval: 300 * time.Millisecond, RequestsPerSecond: 200, Burst: 200, State: workload.Running,
		})
		p.connectors[name] = newProcess(t, p.dir, "connector-"+name, common("connector", name, hub.Workload{Kind: hub.Connector, Name: name},
			"--channel="+name, "--type=vendure", "--data-scratch", "--credentials-dir="+secret)...)
	}
	t.Cleanup(p.explain) // runs before the processes end
	return p
}

// sync hands out one sync of the source to all the other shops.
func (p *plane) sync(source string) {
	fields := map[string]workload.FieldConfig{}
	groups := []string{"content", "price", "stock"}
	for _, group := range groups {
		fields[group] = workload.FieldConfig{Drift: workload.DriftEnforce}
	}
	config := workload.SyncConfig{
		Name: "main", Generation: 1, UID: "uid-main", Mode: workload.Enforce, Source: source, Fields: fields,
		Channels: map[string]workload.SyncChannel{}, Resync: time.Hour, MaxLag: 10 * time.Second,
	}
	for name := range p.connectors {
		config.Channels[name] = workload.SyncChannel{Groups: groups}
		if name == source {
			config.Channels[name] = workload.SyncChannel{Groups: []string{"stock"}}
		}
	}
	p.put(workload.ConfigSyncPrefix+"main", config)
}

func (p *plane) put(key string, value any) {
	p.t.Helper()
	data, err := json.Marshal(value)
	if err != nil {
		p.t.Fatal(err)
	}
	if _, err := p.space.Put(p.t.Context(), key, data); err != nil {
		p.t.Fatal(err)
	}
}

// write lays a Secret out as a kubelet mounts it.
func (p *plane) write(dir string, values map[string]string) {
	p.t.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		p.t.Fatal(err)
	}
	for key, value := range values {
		if err := os.WriteFile(filepath.Join(dir, key), []byte(value), 0o600); err != nil {
			p.t.Fatal(err)
		}
	}
}

// port chooses a process's port of /metrics.
func (p *plane) port(name string) string {
	p.ports[name] = freePort(p.t)
	return p.ports[name]
}

// metrics are the lines of a process's /metrics that begin with a name.
func (p *plane) metrics(process, prefix string) []string {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://127.0.0.1:"+p.ports[process]+"/metrics", nil)
	if err != nil {
		return []string{err.Error()}
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return []string{err.Error()}
	}
	defer func() { _ = resp.Body.Close() }()
	var lines []string
	for scanner := bufio.NewScanner(resp.Body); scanner.Scan(); {
		if strings.HasPrefix(scanner.Text(), prefix) {
			lines = append(lines, scanner.Text())
		}
	}
	return lines
}

// explain shows what every workload said last, when the test has failed.
func (p *plane) explain() {
	if !p.t.Failed() {
		return
	}
	for _, key := range []string{workload.ReportCatalog, workload.ReportChannelPrefix + "web", workload.ReportChannelPrefix + "till", workload.ReportChannelPrefix + "market"} {
		entry, err := p.space.Get(context.Background(), key)
		p.t.Logf("%s: %s %v", key, entry.Data, err)
	}
	for name := range p.connectors {
		p.t.Logf("%s:\n%s", name, strings.Join(p.metrics(name, "selaras_channel"), "\n"))
	}
}
