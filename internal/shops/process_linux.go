package shops

import "syscall"

// childAttributes put a child into a process group of its own and let the
// kernel signal it when this process dies, however it dies.
func childAttributes(user *syscall.Credential, parentDied syscall.Signal) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Credential: user, Pdeathsig: parentDied}
}
