// Package validation is the pure validator of specs: it finds what the API
// server's own rules cannot (expressions, zones, currencies, a driver's
// configuration) and says where and what to write instead. The controllers
// turn what it finds into the condition Stalled; a linter prints it before
// anything is applied. It reads nothing but its arguments.
//
// It expects specs that the API server has accepted or would accept; what the
// CRDs decide is not decided here again.
package validation
