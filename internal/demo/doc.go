// Package demo shows the main job of Selaras on real input: three Vendure shops
// and a Kubernetes API on this machine, the operator, the hub and the connectors
// as its pods, and a story that changes things in the shops and measures, by
// the shops' own APIs, when the others show it.
//
// The story (story.go and one file a step) tells what happens as events;
// plain.go prints them as lines, screen.go draws them on a terminal.
package demo
