package shops

import (
	"bufio"
	"context"
	"errors"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// childEnv makes this test binary start a child, print its id and hang.
const childEnv = "SHOPS_TEST_START_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) == "" {
		os.Exit(m.Run())
	}
	p, err := command{name: "sleep", path: "/bin/sleep", args: []string{"600"}, env: baseEnvironment()}.start()
	if err != nil {
		panic(err)
	}
	_, _ = os.Stdout.WriteString(strconv.Itoa(p.cmd.Process.Pid) + "\n")
	<-p.done
}

func TestChildDiesWithItsParent(t *testing.T) {
	parent := exec.Command(os.Args[0])
	parent.Env = append(os.Environ(), childEnv+"=1")
	out, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	child, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = parent.Wait() // says that it was killed

	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for alive(child) {
		select {
		case <-tick.C:
		case <-ctx.Done():
			_ = syscall.Kill(child, syscall.SIGKILL)
			t.Fatal("the child outlived its killed parent")
		}
	}
}

// alive reports whether a process runs; one that waits to be reaped does not.
func alive(pid int) bool {
	if errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
		return false
	}
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return false
	}
	_, state, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(state, "Z")
}

func TestEndedProcessReportsItsLastOutput(t *testing.T) {
	p, err := command{
		name: "a server", path: "/bin/sh", args: []string{"-c", "echo no such database; exit 3"},
		env: baseEnvironment(), ready: "ready",
	}.start()
	if err != nil {
		t.Fatal(err)
	}
	err = p.awaitReady(t.Context())
	if err == nil || !strings.Contains(err.Error(), "no such database") || !strings.Contains(err.Error(), "exit status 3") {
		t.Errorf("error = %v, want the exit status and the output", err)
	}
	p.end() // harmless after the end
}

func TestFrozenProcessCanBeEnded(t *testing.T) {
	p, err := command{name: "sleep", path: "/bin/sleep", args: []string{"600"}, env: baseEnvironment()}.start()
	if err != nil {
		t.Fatal(err)
	}
	p.signal(syscall.SIGSTOP)
	p.end()
	select {
	case <-p.done:
	default:
		t.Error("end returned while the process runs")
	}
}
