// Package process starts local programs that never outlive the program that
// started them, and ends them the way a kubelet ends a container: SIGTERM, a
// grace period, SIGKILL.
package process

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// Command is what to start.
type Command struct {
	// Path is the executable; it is not looked up in PATH.
	Path string
	// Args follow the executable's name.
	Args []string
	// Env is the whole environment, as KEY=value.
	Env []string
	// Dir is the working directory.
	Dir string
	// Output takes stdout and stderr; the child writes to it directly. It may
	// be closed once Start has returned.
	Output *os.File
}

// Process is a started program. It leads a process group of its own, so that a
// Ctrl-C in the terminal reaches only the program that started it.
type Process struct {
	pid     int
	started time.Time
	done    chan struct{}
	exit    Exit
}

// Exit is how a process ended.
type Exit struct {
	// Code is the exit code, 128 + Signal when a signal ended the process, as
	// container runtimes report it.
	Code int
	// Signal is the signal that ended the process, or 0.
	Signal int
	// Time is when the end was seen.
	Time time.Time
}

// String describes the exit for a log line or an error.
func (e Exit) String() string {
	if e.Signal != 0 {
		return fmt.Sprintf("ended by signal %d (%s)", e.Signal, syscall.Signal(e.Signal))
	}
	return fmt.Sprintf("exited with code %d", e.Code)
}

// Start starts the command. The returned error names the executable.
func Start(command Command) (*Process, error) {
	cmd := &exec.Cmd{
		Path:        command.Path,
		Args:        append([]string{command.Path}, command.Args...),
		Env:         command.Env,
		Dir:         command.Dir,
		Stdout:      command.Output,
		Stderr:      command.Output,
		SysProcAttr: attributes(),
	}
	if cmd.Env == nil {
		cmd.Env = []string{} // nil would mean the parent's environment
	}
	p := &Process{done: make(chan struct{})}
	started := make(chan error, 1)
	go func() {
		// The kernel ties "die with the parent" to the thread that forked, not
		// to the process: the thread is kept until the child has ended.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		if err := cmd.Start(); err != nil {
			started <- err
			return
		}
		p.pid, p.started = cmd.Process.Pid, time.Now()
		started <- nil
		p.exit = exitOf(cmd.Wait())
		// A container's processes end with its first one.
		_ = syscall.Kill(-p.pid, syscall.SIGKILL)
		close(p.done)
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", command.Path, err)
	}
	return p, nil
}

func exitOf(err error) Exit {
	exit := Exit{Time: time.Now()}
	var failed *exec.ExitError
	switch {
	case err == nil:
	case errors.As(err, &failed):
		status, _ := failed.Sys().(syscall.WaitStatus)
		if status.Signaled() {
			exit.Signal = int(status.Signal())
			exit.Code = 128 + exit.Signal
		} else {
			exit.Code = status.ExitStatus()
		}
	default:
		exit.Code = -1
	}
	return exit
}

// PID is the process id.
func (p *Process) PID() int { return p.pid }

// Started is when the process was started.
func (p *Process) Started() time.Time { return p.started }

// Done is closed once the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Exit is how the process ended; it is valid once Done is closed.
func (p *Process) Exit() Exit { return p.exit }

// Stop sends SIGTERM, waits up to grace, then kills the whole process group.
// It returns when the process has ended.
func (p *Process) Stop(grace time.Duration) {
	if grace > 0 {
		_ = syscall.Kill(p.pid, syscall.SIGTERM)
		timer := time.NewTimer(grace)
		defer timer.Stop()
		select {
		case <-p.done:
			return
		case <-timer.C:
		}
	}
	select {
	case <-p.done: // never signal a process id that may be someone else's by now
	default:
		_ = syscall.Kill(-p.pid, syscall.SIGKILL)
		<-p.done
	}
}
