package stage

// Usage is what work has taken. Of programs it is what the system counted for them and their children; of work inside a
// worker's process, that process's processor time divided equally over the activities it was doing.
type Usage struct {
	CPUSeconds      float64 `json:"cpu_seconds,omitempty"`
	GPUSeconds      float64 `json:"gpu_seconds,omitempty"`       // time for which devices were held, times their number
	PeakMemoryBytes int64   `json:"peak_memory_bytes,omitempty"` // of a program with its children
}

// Plus adds what other work has taken.
func (u Usage) Plus(v Usage) Usage {
	return Usage{u.CPUSeconds + v.CPUSeconds, u.GPUSeconds + v.GPUSeconds, max(u.PeakMemoryBytes, v.PeakMemoryBytes)}
}

// StageUsage is what one stage took.
type StageUsage struct {
	Stage Name `json:"stage"`
	Usage
}
