package supervisor

import (
	"syscall"
	"unsafe"
)

// cpuMask is what the kernel takes as a set of processors, wide enough for 8,192 of them.
type cpuMask [8192 / bitsPerWord]uintptr

const bitsPerWord = int(unsafe.Sizeof(uintptr(0))) * 8

func setAffinity(cpus []int) error {
	var mask cpuMask
	for _, c := range cpus {
		mask[c/bitsPerWord] |= 1 << (c % bitsPerWord)
	}
	if _, _, errno := syscall.RawSyscall(syscall.SYS_SCHED_SETAFFINITY, 0, unsafe.Sizeof(mask), uintptr(unsafe.Pointer(&mask))); errno != 0 {
		return errno
	}
	return nil
}

// UsableCPUs are the processors that this process may use.
func UsableCPUs() ([]int, error) {
	var mask cpuMask
	if _, _, errno := syscall.RawSyscall(syscall.SYS_SCHED_GETAFFINITY, 0, unsafe.Sizeof(mask), uintptr(unsafe.Pointer(&mask))); errno != 0 {
		return nil, errno
	}
	var cpus []int
	for i, word := range mask {
		for bit := range bitsPerWord {
			if word&(1<<bit) != 0 {
				cpus = append(cpus, i*bitsPerWord+bit)
			}
		}
	}
	return cpus, nil
}
