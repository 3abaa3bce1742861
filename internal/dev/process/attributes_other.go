//go:build !linux

package process

import "syscall"

// Without a death signal children are ended by Stop alone.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}
