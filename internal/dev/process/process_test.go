package process_test

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"selaras.dev/selaras/internal/dev/process"
)

// roleVariable makes the test binary act as one of the processes of a test.
const roleVariable = "SELARAS_TEST_ROLE"

func TestMain(m *testing.M) {
	switch os.Getenv(roleVariable) {
	case "parent": // starts a child that writes to file 3, and waits for ever
		_, err := start("child", os.NewFile(3, "pipe"))
		if err != nil {
			os.Exit(1)
		}
		select {}
	case "child":
		_, _ = os.Stdout.WriteString("up\n")
		time.Sleep(time.Hour)
	case "stubborn":
		signal.Ignore(syscall.SIGTERM)
		_, _ = os.Stdout.WriteString("up\n")
		time.Sleep(time.Hour)
	case "seven":
		os.Exit(7)
	default:
		os.Exit(m.Run())
	}
}

func start(role string, output *os.File) (*process.Process, error) {
	path, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return process.Start(process.Command{Path: path, Env: []string{roleVariable + "=" + role}, Output: output})
}

// up reads until the process says that it runs.
func up(t *testing.T, reader *bufio.Reader) {
	t.Helper()
	if line, err := reader.ReadString('\n'); err != nil || line != "up\n" {
		t.Fatalf("the process said %q, %v", line, err)
	}
}

// A child does not outlive its parent, even one that is killed.
func TestChildDiesWithItsParent(t *testing.T) {
	t.Parallel()
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	parent := exec.CommandContext(t.Context(), path)
	parent.Env = []string{roleVariable + "=parent"}
	parent.ExtraFiles = []*os.File{write}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	if err := write.Close(); err != nil {
		t.Fatal(err)
	}
	reader := bufio.NewReader(read)
	up(t, reader)
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = parent.Wait()
	if err := read.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	// The pipe ends when the last process that holds it has ended.
	if _, err := reader.ReadByte(); err != io.EOF {
		t.Fatalf("the child still holds its output: %v", err)
	}
}

// SIGTERM ends a process that heeds it; one that does not is killed after grace.
func TestStopTerminatesThenKills(t *testing.T) {
	t.Parallel()
	for role, want := range map[string]syscall.Signal{"child": syscall.SIGTERM, "stubborn": syscall.SIGKILL} {
		read, write, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		started, err := start(role, write)
		if err != nil {
			t.Fatal(err)
		}
		_ = write.Close()
		up(t, bufio.NewReader(read))
		grace := time.Minute
		if want == syscall.SIGKILL {
			grace = 50 * time.Millisecond
		}
		started.Stop(grace)
		if exit := started.Exit(); exit.Signal != int(want) || exit.Code != 128+int(want) {
			t.Errorf("%s %s, want signal %d", role, exit, want)
		}
	}
}

// The exit code is the program's own; a program that is not there is named.
func TestExitCodeAndMissingProgram(t *testing.T) {
	t.Parallel()
	started, err := start("seven", nil)
	if err != nil {
		t.Fatal(err)
	}
	<-started.Done()
	if got := started.Exit().Code; got != 7 {
		t.Errorf("exit code %d, want 7", got)
	}
	if _, err := process.Start(process.Command{Path: "/no/such/program"}); err == nil || !strings.Contains(err.Error(), "/no/such/program") {
		t.Errorf("a missing program gave %v", err)
	}
}
