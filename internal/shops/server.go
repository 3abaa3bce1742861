package shops

import (
	"sync"
	"syscall"
)

// server is the running process of a shop, if it runs.
type server struct {
	mu      sync.Mutex
	process *process
}

func (s *server) started(p *process) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.process = p
}

func (s *server) take() *process {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.process
	s.process = nil
	return p
}

func (s *server) signal(sig syscall.Signal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process != nil {
		s.process.signal(sig)
	}
}

// Stop ends the server in good order; its data stays.
func (s *server) Stop() {
	if p := s.take(); p != nil {
		p.end()
	}
}

// Kill ends the server at once, as kill -9 does; what it had answered is kept.
func (s *server) Kill() {
	if p := s.take(); p != nil {
		p.kill()
	}
}

// Freeze stops the server's execution: the system accepts connections, but
// nothing answers. Thaw lets it go on.
func (s *server) Freeze() { s.signal(syscall.SIGSTOP) }

// Thaw ends a Freeze.
func (s *server) Thaw() { s.signal(syscall.SIGCONT) }
