//go:build !linux

package serve

// listens cannot be told here, where package program starts nothing.
func listens(int, int) bool { return true }
