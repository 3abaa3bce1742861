// Package e2e runs Selaras on a real cluster, with real shops in pods, and
// proves what needs a kubelet: that pods start, are allowed what they do, roll,
// drain and come back, and that no change is lost, doubled or reordered by it.
//
// `make e2e` brings the cluster and the images and runs it. README.md tells
// how a case is written. The files without build tag are the frame, which
// compiles everywhere; the cases have the tag e2e.
package e2e
