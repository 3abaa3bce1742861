// Package loop holds the tests of the full loop: real shops, the real binary
// as separate processes, and kill -9 at random moments. They end in I1: every
// listing shows what it should, by reading the shops themselves.
package loop
