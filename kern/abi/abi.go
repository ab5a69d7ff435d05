// Package abi defines structures and numbers of Linux on x86-64 that several
// packages of the kernel share with programs: their layouts in memory, and the
// constants that go with them.
//
// Each structure has Encode, which writes it to the start of a slice, and where
// programs give it to the kernel Decode, which reads it from there. The slice
// has at least the size that the constant beside the structure says; a shorter
// one is an error of the caller and panics.
package abi

import "encoding/binary"

// x86-64 is little-endian.
func put16(b []byte, v uint16) { binary.LittleEndian.PutUint16(b, v) }
func put32(b []byte, v uint32) { binary.LittleEndian.PutUint32(b, v) }
func put64(b []byte, v uint64) { binary.LittleEndian.PutUint64(b, v) }
func get16(b []byte) uint16    { return binary.LittleEndian.Uint16(b) }
func get32(b []byte) uint32    { return binary.LittleEndian.Uint32(b) }
func get64(b []byte) uint64    { return binary.LittleEndian.Uint64(b) }
