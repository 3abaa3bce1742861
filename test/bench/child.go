package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"selaras.dev/selaras/internal/hub"
	worker "selaras.dev/selaras/workers/catalog"
	"selaras.dev/selaras/workers/connector"
	"selaras.dev/selaras/workers/connector/shoptest"
)

// childArg as the first argument makes the program one process of a workload,
// so that memory and start of that workload alone can be measured.
const childArg = "child"

// childSpec says what a child is; it comes as JSON in the second argument.
type childSpec struct {
	Role        string // catalog, connector, or iterate: open the store and read all of it
	Hub         string
	Namespace   string
	Channel     string
	Credentials string // file
	Mounted     string // directory of the channel's credentials
	Data        string
	Shop        shoptest.Options
}

// child runs until it is told to end. Its health is served on the listener
// that it inherits; a line on its input makes it give back memory that it does
// not use, and answer with a line.
func child(args []string) error {
	if len(args) != 1 {
		return errors.New("want one argument")
	}
	var s childSpec
	if err := json.Unmarshal([]byte(args[0]), &s); err != nil {
		return err
	}
	slog.SetDefault(slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError})))
	if s.Role == "iterate" {
		return iterate(s.Data)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	// A parent that dies closes the input.
	go func() {
		in := bufio.NewScanner(os.Stdin)
		for in.Scan() {
			debug.FreeOSMemory()
			fmt.Println("done")
		}
		stop()
	}()
	file := os.NewFile(3, "health")
	health, err := net.FileListener(file)
	if err != nil {
		return err
	}
	if err := file.Close(); err != nil {
		return err
	}
	space, err := hub.Dial(ctx, hub.DialOptions{URL: s.Hub, CredentialsFile: s.Credentials, Name: s.Role})
	if err != nil {
		return err
	}
	defer space.Close()
	if s.Role == "catalog" {
		return worker.Run(ctx, worker.Options{Space: space, Namespace: s.Namespace, DataDir: s.Data, Health: health})
	}
	return connector.Run(ctx, connector.Options{
		Space: space, Channel: s.Channel, Namespace: s.Namespace, Driver: watched{shoptest.Driver(s.Shop), &watch{}},
		DataDir: s.Data, Scratch: true, CredentialsDir: s.Mounted, Health: health,
	})
}

// iterate is the program that a start is compared with: it opens the store
// and reads every key and value once.
func iterate(dir string) (err error) {
	db, err := pebble.Open(dir, &pebble.Options{FormatMajorVersion: pebble.FormatNewest, CacheSize: 8 << 20, Logger: quietPebble{}})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	it, err := db.NewIter(nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	keys, size := 0, 0
	for ok := it.First(); ok; ok = it.Next() {
		value, err := it.ValueAndErr()
		if err != nil {
			return err
		}
		keys++
		size += len(it.Key()) + len(value)
	}
	fmt.Println(keys, size)
	return it.Error()
}

type quietPebble struct{}

// Infof implements pebble.Logger.
func (quietPebble) Infof(string, ...any) {}

// Errorf implements pebble.Logger.
func (quietPebble) Errorf(f string, a ...any) { slog.Error(fmt.Sprintf(f, a...)) }

// Fatalf implements pebble.Logger.
func (quietPebble) Fatalf(f string, a ...any) { panic(fmt.Sprintf(f, a...)) }

// process is a running child, seen from the parent.
type process struct {
	cmd    *exec.Cmd
	in     io.WriteCloser
	out    *bufio.Reader
	url    string
	began  time.Time
	client *http.Client
}

// spawn starts a child.
func spawn(s childSpec) (*process, error) {
	arg, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	defer func() { _ = listener.Close() }() // the child has its own copy
	file, err := listener.(*net.TCPListener).File()
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	p := &process{url: "http://" + listener.Addr().String(), client: &http.Client{Timeout: 5 * time.Second}}
	p.cmd = exec.Command(self, childArg, string(arg)) // #nosec G204 -- this program itself
	p.cmd.Stderr = os.Stderr
	p.cmd.ExtraFiles = []*os.File{file}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.out = bufio.NewReader(out)
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	p.began = time.Now()
	return p, p.cmd.Start()
}

// stop ends the child and waits for its end.
func (p *process) stop() error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	late := time.AfterFunc(time.Minute, func() { _ = p.cmd.Process.Kill() }) // its Wait tells
	defer late.Stop()
	p.client.CloseIdleConnections()
	if err := p.cmd.Wait(); err != nil {
		return fmt.Errorf("child %d: %w", p.cmd.Process.Pid, err)
	}
	return nil
}

// ready waits until the child's /readyz says so and returns how long that took
// since its start.
func (p *process) ready(ctx context.Context, patience time.Duration) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url+"/readyz", http.NoBody)
		if err != nil {
			return 0, err
		}
		resp, err := p.client.Do(req)
		if err == nil {
			_ = resp.Body.Close() // nothing of interest in it
			if resp.StatusCode == http.StatusOK {
				return time.Since(p.began), nil
			}
		}
		select {
		case <-time.After(2 * time.Millisecond):
		case <-ctx.Done():
			return 0, fmt.Errorf("child %d is not ready after %s", p.cmd.Process.Pid, patience)
		}
	}
}

// anonymous is the child's RssAnon in bytes, as it is and after the child gave
// back what it does not use.
func (p *process) anonymous() (now, given int64, err error) {
	if now, err = procStatus(p.cmd.Process.Pid, "RssAnon"); err != nil {
		return 0, 0, err
	}
	if _, err = io.WriteString(p.in, "free\n"); err != nil {
		return 0, 0, err
	}
	if _, err = p.out.ReadString('\n'); err != nil {
		return 0, 0, err
	}
	given, err = procStatus(p.cmd.Process.Pid, "RssAnon")
	return now, given, err
}
