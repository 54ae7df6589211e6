package supervisor

// Member is one process as /proc/<pid>/stat shows it.
type Member struct {
	PID, Parent, Group, Session int
	Name                        string
	Started                     uint64 // clock ticks since boot; with the pid it tells a process from a later one of the same number
	Resident                    int64  // bytes
	Zombie                      bool   // dead, and waits for its parent to ask
}
