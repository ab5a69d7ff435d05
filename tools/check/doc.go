// Package check reads mult's own source and reports where it breaks the
// rules the project is built on:
//
//   - imports.go: a package imports only what its room allows (rooms.go is
//     the table, ARCHITECTURE.md shows it);
//   - state.go, readonly.go: kern, inst, fs and net keep no mutable package
//     variables, except those that ARCHITECTURE.md lists with a reason;
//   - hygiene.go: package comments, assembly beside its Go file, no paths of
//     the machine somebody builds on, links that resolve, the licence.
//
// The rules run as ordinary tests: go test ./tools/check. Each rule takes an
// fs.FS, so that its own tests can feed it small trees and see that it still
// catches what it is there to catch.
//
// Only the standard library is used. Types of imported packages come from the
// export data that the go command keeps in its build cache.
package check
