package shops

import (
	"context"
	"fmt"
	"io"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// stopGrace is how long a server may take to end after it was asked to, before
// it is killed.
const stopGrace = 15 * time.Second

// command describes a child process.
type command struct {
	name string // for messages
	path string
	args []string
	env  []string // complete
	dir  string
	user *syscall.Credential // nil: the caller's
	// stop asks the process to end, and parentDied is what it gets when this
	// process dies. Zero means SIGTERM and SIGKILL.
	stop, parentDied syscall.Signal
	ready            string    // the line it prints when it is ready, if it prints one
	log              io.Writer // may be nil; gets all output
}

// process is a running child in a process group of its own, which dies with
// this process.
type process struct {
	command
	cmd  *exec.Cmd
	out  *output
	done chan struct{} // closed when the process has ended
	err  error         // how it ended; read after done
}

// start starts the command and returns when it runs; it does not wait until it
// is ready for use.
func (c command) start() (*process, error) {
	if c.stop == 0 {
		c.stop = syscall.SIGTERM
	}
	if c.parentDied == 0 {
		c.parentDied = syscall.SIGKILL
	}
	cmd := exec.Command(c.path, c.args...)
	cmd.Env, cmd.Dir = c.env, c.dir
	cmd.SysProcAttr = childAttributes(c.user, c.parentDied)
	// A grandchild that inherited the pipe must not keep Wait from returning.
	cmd.WaitDelay = 5 * time.Second

	p := &process{command: c, cmd: cmd, out: newOutput(c.ready, c.log), done: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = p.out, p.out

	started := make(chan error, 1)
	go func() {
		// The kernel sends the parent-death signal when the thread that forked
		// ends, so that thread stays with this goroutine while the child lives.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err != nil {
			return
		}
		p.err = cmd.Wait()
		close(p.done)
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("shops: starting %s: %w", c.name, err)
	}
	return p, nil
}

// awaitReady returns when the process has printed its ready line. When it ends
// first the error holds its last output.
func (p *process) awaitReady(ctx context.Context) error {
	select {
	case <-p.out.ready:
		return nil
	case <-p.done:
		return p.ended()
	case <-ctx.Done():
		return fmt.Errorf("shops: %s is not ready: %w; its last output:\n%s", p.name, context.Cause(ctx), p.out.tail())
	}
}

// await calls ready every 50 ms until it returns nil.
func (p *process) await(ctx context.Context, ready func(context.Context) error) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		err := ready(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-p.done:
			return p.ended()
		case <-ctx.Done():
			return fmt.Errorf("shops: %s is not ready: %w; its last output:\n%s", p.name, err, p.out.tail())
		}
	}
}

func (p *process) ended() error {
	return fmt.Errorf("shops: %s ended (%s); its last output:\n%s", p.name, p.cmd.ProcessState, p.out.tail())
}

// run starts the command and waits for its end; output of a failure is in the
// error.
func (c command) run(ctx context.Context) error {
	p, err := c.start()
	if err != nil {
		return err
	}
	select {
	case <-p.done:
	case <-ctx.Done():
		p.kill()
		return fmt.Errorf("shops: %s: %w; its last output:\n%s", c.name, context.Cause(ctx), p.out.tail())
	}
	if p.err != nil {
		return p.ended()
	}
	return nil
}

// end asks the process to end and kills it after the grace period. A process
// that had ended before is no error.
func (p *process) end() {
	p.signal(syscall.SIGCONT)
	if p.cmd.Process.Signal(p.stop) == nil {
		select {
		case <-p.done:
		case <-time.After(stopGrace):
		}
	}
	p.kill()
}

// kill ends the process group at once and waits for its end.
func (p *process) kill() {
	p.signal(syscall.SIGKILL)
	<-p.done
}

// signal sends a signal to the whole group; a group that is gone is ignored.
func (p *process) signal(sig syscall.Signal) {
	select {
	case <-p.done: // the id may belong to another process by now
	default:
		_ = syscall.Kill(-p.cmd.Process.Pid, sig)
	}
}
