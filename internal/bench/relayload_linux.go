package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// loadRelay sends through a relay for a while, both ways at the same rate, and reads what its process took. Payloads carry
// the time of sending. Latencies contain the load's own pacing: it sends in runs of about a millisecond.
func loadRelay(s *relayProcess, load relayLoad, o relayOptions) (relayRun, error) {
	pairs := make([]relayPair, 0, load.pairs)
	defer func() {
		for _, p := range pairs {
			p.close()
		}
	}()
	for range load.pairs {
		p, err := newRelayPair(s)
		if err != nil {
			return relayRun{}, err
		}
		pairs = append(pairs, p)
	}
	r, err := newReceiver(pairs, load.size)
	if err != nil {
		return relayRun{}, err
	}
	defer r.close()
	done := make(chan struct{})
	go func() { defer close(done); r.run() }()
	sendPaced(pairs, load, o.Rate, 300*time.Millisecond) // warm
	r.settle()
	r.forget()
	before := cpuSeconds(s.cmd.Process.Pid)
	sent := sendPaced(pairs, load, o.Rate, o.Length)
	r.settle()
	used := cpuSeconds(s.cmd.Process.Pid) - before
	r.stop.Store(true)
	<-done
	if r.got == 0 {
		return relayRun{}, errors.New("nothing came through")
	}
	return relayRun{relayed: r.got, sent: sent, cpu: used, p50: r.quantile(0.5), p99: r.quantile(0.99)}, nil
}

// cpuSeconds is what all threads of a process have run for, in nanoseconds' precision.
func cpuSeconds(pid int) (s float64) {
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	for _, t := range tasks {
		if b, err := os.ReadFile(t); err == nil {
			ns, _ := strconv.ParseFloat(strings.Fields(string(b))[0], 64)
			s += ns / 1e9
		}
	}
	return s
}

// sendPaced sends that many packets a second each way and gives how many were sent.
func sendPaced(pairs []relayPair, load relayLoad, rate int, length time.Duration) (sent int) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	up := make([]byte, 4+load.size)
	binary.BigEndian.PutUint16(up, relayChannel)
	binary.BigEndian.PutUint16(up[2:], uint16(load.size))
	down := make([]byte, load.size)
	due, turn, left := 0.0, 0, load.burst
	start := time.Now()
	for last := start; ; {
		_ = unix.Nanosleep(&unix.Timespec{Nsec: 900_000}, nil)
		now := time.Now()
		if now.Sub(start) > length {
			return sent
		}
		due = min(due+now.Sub(last).Seconds()*float64(rate), float64(rate)/20)
		last = now
		stamp := uint64(now.UnixNano())
		binary.BigEndian.PutUint64(up[4:], stamp)
		binary.BigEndian.PutUint64(down, stamp)
		for ; due >= 1; due-- {
			if left == 0 {
				turn, left = (turn+1)%len(pairs), load.burst
			}
			left--
			if _, err := unix.Write(pairs[turn].client, up); err == nil {
				sent++
			}
			if _, err := unix.Write(pairs[turn].peer, down); err == nil {
				sent++
			}
		}
	}
}

// receiver counts what arrives at clients and peers.
type receiver struct {
	epoll  int
	atPeer map[int32]bool
	size   int
	stop   atomic.Bool
	rest   chan chan struct{} // asks it to say when nothing has come for a while

	got     int
	latency [64 * 8]int // of microseconds, 8 steps an octave
}

func newReceiver(pairs []relayPair, size int) (*receiver, error) {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, err
	}
	r := &receiver{epoll: epoll, atPeer: map[int32]bool{}, size: size, rest: make(chan chan struct{}, 1)}
	for _, p := range pairs {
		for _, fd := range []int{p.client, p.peer} {
			if err := unix.EpollCtl(epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)}); err != nil {
				return nil, errors.Join(err, unix.Close(epoll))
			}
		}
		r.atPeer[int32(p.peer)] = true
	}
	return r, nil
}

func (r *receiver) close() { _ = unix.Close(r.epoll) }

func (r *receiver) run() {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	events, buf := make([]unix.EpollEvent, 256), make([]byte, 4096)
	for !r.stop.Load() {
		n, err := unix.EpollWait(r.epoll, events, 100)
		if n == 0 && err == nil { // quiet
			select {
			case settled := <-r.rest:
				close(settled)
			default:
			}
		}
		for i := range max(n, 0) {
			for {
				n, err := unix.Read(int(events[i].Fd), buf)
				if err != nil || n <= 0 {
					break
				}
				r.take(buf[:n], r.atPeer[events[i].Fd])
			}
		}
	}
}

// settle waits until everything has arrived that will. Until the load goes on, the counts may be read and changed.
func (r *receiver) settle() {
	settled := make(chan struct{})
	r.rest <- settled
	<-settled
}

func (r *receiver) forget() { r.got, r.latency = 0, [64 * 8]int{} }

func (r *receiver) take(b []byte, atPeer bool) {
	if !atPeer {
		if len(b) < 4 || b[0]>>6 != 1 {
			return // STUN
		}
		b = b[4:]
	}
	if len(b) < r.size {
		return
	}
	us := uint64(max(time.Now().UnixNano()-int64(binary.BigEndian.Uint64(b)), 0)) / 1000
	at := int(us)
	if us >= 8 {
		octave := bits.Len64(us) - 4
		at = (octave+1)*8 + int(us>>octave) - 8
	}
	r.latency[min(at, len(r.latency)-1)]++
	r.got++
}

func (r *receiver) quantile(q float64) time.Duration {
	sum := 0
	at := slices.IndexFunc(r.latency[:], func(n int) bool { sum += n; return sum > 0 && float64(sum) >= q*float64(r.got) })
	us := at
	if at >= 8 {
		us = (at%8 + 8) << (at/8 - 1)
	}
	return time.Duration(us) * time.Microsecond
}
