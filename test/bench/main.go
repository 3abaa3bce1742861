// Command bench measures the figures of docs/benchmarks.md.
//
//	go run ./test/bench [flags] [name…]
//
// Every figure is a ratio to something measured in the same run: a probe of
// the disk, a lower bound, or a bare program that does the same work without
// Selaras. Each ratio is one line,
//
//	bench NAME ratio=R target<=T ok
//
// or MISS at its end, and any MISS makes the exit code 1. Everything stays on
// this machine, on loopback addresses and in a temporary directory.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"slices"
	"strings"
	"syscall"
	"time"
)

// benchmark is one entry of the list.
type benchmark struct {
	name string
	run  func(ctx context.Context, r *run) error
}

// benchmarks in the order in which they run: what needs a quiet disk first.
var benchmarks = []benchmark{
	{"single_change", singleChange},
	{"burst_bound", burstBound},
	{"coalescing", coalescing},
	{"ingest", ingest},
	{"memory", memory},
	{"operator", operator},
}

// run is what one benchmark works with.
type run struct {
	name  string
	scale float64
	dir   string
	out   io.Writer
	miss  int
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == childArg {
		if err := child(os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, "bench child:", err)
			os.Exit(1)
		}
		return
	}
	code, err := benches(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		code = 2
	}
	os.Exit(code)
}

func benches(args []string) (int, error) {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	scale := flags.Float64("scale", 1, "share of the full size, above 0 up to 1; targets hold for 1")
	dir := flags.String("dir", "", "where to work; by default a temporary directory")
	profiles := flags.String("cpuprofile", "", "directory for a CPU profile of every benchmark")
	flags.Usage = func() {
		fmt.Fprintf(flags.Output(), "usage: bench [flags] [%s]…\n", strings.Join(names(), "|"))
		flags.PrintDefaults()
	}
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return 0, nil
		}
		return 2, nil // flag has said why
	}
	if *scale <= 0 || *scale > 1 {
		return 2, fmt.Errorf("-scale is %v: write a number above 0, up to 1", *scale)
	}
	for _, name := range flags.Args() {
		if !slices.Contains(names(), name) {
			return 2, fmt.Errorf("there is no benchmark %q: %s", name, strings.Join(names(), ", "))
		}
	}
	slog.SetDefault(slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError})))
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()

	fmt.Printf("%s, %d CPUs, %s, %s\n", runtime.Version(), runtime.NumCPU(), memoryOfMachine(), time.Now().UTC().Format(time.RFC3339))
	if load, err := os.ReadFile("/proc/loadavg"); err == nil {
		fmt.Printf("load average at the start: %s\n", strings.TrimSpace(string(load)))
	}
	code := 0
	for _, b := range benchmarks {
		if flags.NArg() > 0 && !slices.Contains(flags.Args(), b.name) {
			continue
		}
		miss, err := one(ctx, b, *scale, *dir, *profiles)
		if ctx.Err() != nil {
			return 2, errors.New("interrupted")
		}
		if err != nil {
			fmt.Printf("bench %s did not finish: %v\n", b.name, err)
			code = 2
			continue
		}
		if miss > 0 && code == 0 {
			code = 1
		}
	}
	return code, nil
}

func one(ctx context.Context, b benchmark, scale float64, parent, profiles string) (miss int, err error) {
	dir, err := os.MkdirTemp(parent, "selaras-bench-")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	fmt.Printf("\n== %s\n", b.name)
	r := &run{name: b.name, scale: scale, dir: dir, out: os.Stdout}
	if profiles != "" {
		f, err := os.Create(filepath.Join(profiles, b.name+".pprof"))
		if err != nil {
			return 0, err
		}
		defer func() { err = errors.Join(err, f.Close()) }()
		if err := pprof.StartCPUProfile(f); err != nil {
			return 0, err
		}
		defer pprof.StopCPUProfile()
	}
	began := time.Now()
	if err := b.run(ctx, r); err != nil {
		return 0, err
	}
	r.say("took %s in all", time.Since(began).Round(time.Second))
	// What one benchmark leaves on the heap is no business of the next.
	runtime.GC()
	return r.miss, nil
}

func names() []string {
	all := make([]string, len(benchmarks))
	for i, b := range benchmarks {
		all[i] = b.name
	}
	return all
}

// of is a full size at the run's scale, at least one.
func (r *run) of(full int) int { return max(1, int(float64(full)*r.scale)) }

// path is a path of the benchmark's own directory.
func (r *run) path(elem ...string) string { return filepath.Join(append([]string{r.dir}, elem...)...) }

// say prints a raw figure.
func (r *run) say(format string, args ...any) { fmt.Fprintf(r.out, "   "+format+"\n", args...) }

// atMost judges a ratio that should be small. part tells the ratios of one
// benchmark apart and may be empty.
func (r *run) atMost(part string, ratio, target float64) {
	r.judge(part, ratio, "<=", target, ratio <= target)
}

// atLeast judges a ratio that should be large.
func (r *run) atLeast(part string, ratio, target float64) {
	r.judge(part, ratio, ">=", target, ratio >= target)
}

func (r *run) judge(part string, ratio float64, sign string, target float64, ok bool) {
	name, verdict := r.name, "ok"
	if part != "" {
		name += "/" + part
	}
	if !ok {
		verdict = "MISS"
		r.miss++
	}
	fmt.Fprintf(r.out, "bench %s ratio=%.3g target%s%g %s\n", name, ratio, sign, target, verdict)
}

func memoryOfMachine() string {
	data, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return "memory unknown"
	}
	kib, _ := procField(data, "MemTotal")
	return fmt.Sprintf("%.0f GiB", float64(kib)/(1<<20))
}
