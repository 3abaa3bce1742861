//go:build !linux

package shops

import "syscall"

// childAttributes put a child into a process group of its own. Other systems
// have no signal on the parent's death, so a killed parent leaves it running.
func childAttributes(user *syscall.Credential, _ syscall.Signal) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Credential: user}
}
