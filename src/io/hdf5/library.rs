//! The door to libhdf5. The library is not thread-safe: a [`Library`] is proof that this thread holds the one lock that all
//! users of `hdf5-sys` share, and every call goes through it. Nothing here keeps the lock across calls of the public API,
//! and no read-only file stays open when the lock is given back, so that a file can be read and written in one graph.

use hdf5_sys::h5::{herr_t, hsize_t};
use hdf5_sys::h5i::{H5Idec_ref, hid_t};
use hdf5_sys::{h5d, h5f, h5l, h5p, h5s, h5t};
use parking_lot::Mutex;
use rustix::fs::{FlockOperation, flock};
use rustix::io::FdFlags;
use std::ffi::{CStr, CString, c_void};
use std::marker::PhantomData;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::ptr::{null, null_mut};

/// What libhdf5 said when a call failed.
#[derive(Debug)]
pub struct Failure(pub String);

pub type Outcome<T> = Result<T, Failure>;

impl From<&str> for Failure {
    fn from(text: &str) -> Self {
        Failure(text.to_string())
    }
}

/// Files that are open for writing: what the library has of them in memory is not in the file yet.
static WRITTEN: Mutex<Vec<hid_t>> = Mutex::new(Vec::new());

/// An open object of the library, closed when dropped.
pub struct Id(hid_t, Option<FileLock>);

impl Id {
    pub fn raw(&self) -> hid_t {
        self.0
    }
}

impl Drop for Id {
    fn drop(&mut self) {
        let _lock = hdf5_sys::LOCK.lock();
        WRITTEN.lock().retain(|&id| id != self.0);
        // SAFETY: the lock is held, and the id is this handle's to give back.
        unsafe { H5Idec_ref(self.0) };
        if let Some(lock) = &self.1 {
            lock.release();
        }
    }
}

/// The system's lock that the library has on a file it opened. The library leaves it to the end of its descriptor, but a program
/// that was started meanwhile has inherited that, and would keep the lock: it is given back by name.
struct FileLock {
    /// The library's descriptor, and another one of the same lock.
    library: i32,
    own: OwnedFd,
}

impl FileLock {
    fn of(descriptor: BorrowedFd<'_>) -> Option<FileLock> {
        // The library does not know that other programs are started, either.
        let _ = rustix::io::fcntl_setfd(descriptor, FdFlags::CLOEXEC);
        let own = rustix::io::fcntl_dupfd_cloexec(descriptor, 0).ok()?;
        Some(FileLock { library: descriptor.as_raw_fd(), own })
    }

    /// Once the library has closed the file. One that damage did not let it close stays locked: what it has of it in memory may not
    /// be what is there.
    fn release(&self) {
        // SAFETY: only looked at, whatever it has become.
        let library = unsafe { BorrowedFd::borrow_raw(self.library) };
        let identity = |fd| rustix::fs::fstat(fd).ok().map(|about| (about.st_dev, about.st_ino));
        if identity(library) != identity(self.own.as_fd()) {
            let _ = flock(&self.own, FlockOperation::Unlock);
        }
    }
}

/// The right to call the library, on the thread that has the lock.
pub struct Library {
    _here: PhantomData<*const ()>,
}

/// Waits for the library and has it until `f` is done. The lock is reentrant.
pub fn locked<T>(f: impl FnOnce(&Library) -> T) -> T {
    let _lock = hdf5_sys::LOCK.lock();
    // Also starts the library up. The setting is a thread's own: a new worker must not print error stacks either.
    hdf5::silence_errors(true);
    f(&Library { _here: PhantomData })
}

/// A number as the library takes sizes.
pub fn sizes(dims: &[usize]) -> Vec<hsize_t> {
    dims.iter().map(|&d| d as hsize_t).collect()
}

impl Library {
    /// The innermost message of the last failed call, or `fallback`.
    pub fn failure(&self, fallback: &str) -> Failure {
        let stack = hdf5::Error::query().ok().and_then(|e| e.stack());
        let frames = stack.as_deref().unwrap_or(&[]);
        let text = match (frames.first(), frames.last()) {
            (Some(outer), Some(inner)) if frames.len() > 1 => format!("{}: {}", outer.desc(), inner.desc()),
            (Some(only), _) => only.desc().to_string(),
            _ => fallback.to_string(),
        };
        Failure(text)
    }

    pub fn id(&self, id: hid_t) -> Outcome<Id> {
        if id > 0 { Ok(Id(id, None)) } else { Err(self.failure("the library gave no reason")) }
    }

    pub fn check(&self, status: herr_t) -> Outcome<()> {
        if status >= 0 { Ok(()) } else { Err(self.failure("the library gave no reason")) }
    }

    pub fn open_file(&self, path: &Path, write: bool) -> Outcome<Id> {
        let path = CString::new(path.as_os_str().as_bytes()).map_err(|_| Failure::from("a NUL in the path"))?;
        let flags = if write { h5f::H5F_ACC_RDWR } else { h5f::H5F_ACC_RDONLY };
        // SAFETY: the lock is held; the path is a C string.
        let mut file = self.id(unsafe { h5f::H5Fopen(path.as_ptr(), flags, h5p::H5P_DEFAULT) })?;
        self.keep_lock(&mut file);
        if write {
            WRITTEN.lock().push(file.0);
        }
        Ok(file)
    }

    /// Makes a file that does not exist yet.
    pub fn create_file(&self, path: &Path) -> Outcome<Id> {
        let path = CString::new(path.as_os_str().as_bytes()).map_err(|_| Failure::from("a NUL in the path"))?;
        // SAFETY: as `open_file`.
        let mut file =
            self.id(unsafe { h5f::H5Fcreate(path.as_ptr(), h5f::H5F_ACC_EXCL, h5p::H5P_DEFAULT, h5p::H5P_DEFAULT) })?;
        self.keep_lock(&mut file);
        WRITTEN.lock().push(file.0);
        Ok(file)
    }

    fn keep_lock(&self, file: &mut Id) {
        // SAFETY: the lock is held, and the file is open meanwhile.
        file.1 = unsafe { self.descriptor(file.0) }.and_then(FileLock::of);
    }

    /// # Safety
    /// The lock is held, and `file` stays open as long as the descriptor is used.
    unsafe fn descriptor(&self, file: hid_t) -> Option<BorrowedFd<'_>> {
        let mut handle: *mut c_void = null_mut();
        // SAFETY: promised by the caller; the default driver's handle points to its descriptor.
        unsafe {
            let got = h5f::H5Fget_vfd_handle(file, h5p::H5P_DEFAULT, &mut handle);
            (got >= 0 && !handle.is_null()).then(|| BorrowedFd::borrow_raw(*handle.cast::<i32>()))
        }
    }

    pub fn flush(&self, file: &Id) -> Outcome<()> {
        // SAFETY: the lock is held, the id is open.
        self.check(unsafe { h5f::H5Fflush(file.0, h5f::H5F_SCOPE_LOCAL) })
    }

    /// Writes what the library holds in memory of a file, named by device and inode, and tells whether it has it open for
    /// writing. Other files are left alone: what is wrong with them is not this one's trouble.
    pub fn flush_written(&self, identity: (u64, u64)) -> Outcome<bool> {
        let mut open = false;
        for &id in WRITTEN.lock().iter() {
            // SAFETY: the lock is held, under which ids are added, and removed before they are closed.
            unsafe {
                let about = self.descriptor(id).and_then(|fd| rustix::fs::fstat(fd).ok());
                if about.is_some_and(|s| (s.st_dev, s.st_ino) == identity) {
                    self.check(h5f::H5Fflush(id, h5f::H5F_SCOPE_LOCAL))?;
                    open = true;
                }
            }
        }
        Ok(open)
    }

    /// Whether this program has a file open for writing.
    pub fn has_open(&self, path: &Path) -> bool {
        std::fs::metadata(path).is_ok_and(|about| self.flush_written((about.dev(), about.ino())).unwrap_or(false))
    }

    /// Opens the object of a name.
    pub fn open_object(&self, place: &Id, name: &CStr) -> Outcome<Id> {
        // SAFETY: the lock is held, the id is open, the name is a C string.
        self.id(unsafe { hdf5_sys::h5o::H5Oopen(place.0, name.as_ptr(), h5p::H5P_DEFAULT) })
    }

    /// Opens the object whose header is at an address of the file.
    pub fn open_address(&self, file: &Id, address: u64) -> Outcome<Id> {
        // SAFETY: the lock is held, the id is open; an object header was read at the address.
        self.id(unsafe { hdf5_sys::h5o::H5Oopen_by_addr(file.0, address) })
    }

    pub fn delete_link(&self, place: &Id, name: &CStr) -> Outcome<()> {
        // SAFETY: as `open_object`.
        self.check(unsafe { h5l::H5Ldelete(place.0, name.as_ptr(), h5p::H5P_DEFAULT) })
    }

    pub fn rename_link(&self, place: &Id, from: &CStr, to: &CStr) -> Outcome<()> {
        let same = h5l::H5L_SAME_LOC;
        // SAFETY: as `open_object`.
        self.check(unsafe {
            h5l::H5Lmove(place.0, from.as_ptr(), same, to.as_ptr(), h5p::H5P_DEFAULT, h5p::H5P_DEFAULT)
        })
    }

    /// The shape of a dataspace; `None` for one without elements (`H5S_NULL`).
    pub fn shape(&self, space: &Id) -> Outcome<Option<Vec<usize>>> {
        // SAFETY: the lock is held, the id is open; `dims` has room for the rank the library reported.
        unsafe {
            if h5s::H5Sget_simple_extent_type(space.0) == h5s::H5S_class_t::H5S_NULL {
                return Ok(None);
            }
            let ndim = h5s::H5Sget_simple_extent_ndims(space.0);
            self.check(ndim)?;
            let mut dims = vec![0 as hsize_t; ndim as usize];
            self.check(h5s::H5Sget_simple_extent_dims(space.0, dims.as_mut_ptr(), null_mut()))?;
            let dims = dims.into_iter().map(usize::try_from).collect::<Result<_, _>>();
            dims.map(Some).map_err(|_| "an axis longer than the address space".into())
        }
    }

    pub fn space(&self, shape: &[usize]) -> Outcome<Id> {
        let dims = sizes(shape);
        // SAFETY: the lock is held; `dims` has as many sizes as the rank says.
        self.id(unsafe {
            match shape {
                [] => h5s::H5Screate(h5s::H5S_class_t::H5S_SCALAR),
                _ => h5s::H5Screate_simple(dims.len() as i32, dims.as_ptr(), null()),
            }
        })
    }

    /// Narrows a dataspace to `count` elements from `start`, `step` apart, along each axis.
    pub fn select(&self, space: &Id, start: &[usize], step: &[usize], count: &[usize]) -> Outcome<()> {
        if start.is_empty() {
            return Ok(());
        }
        let (start, step, count) = (sizes(start), sizes(step), sizes(count));
        let set = h5s::H5S_seloper_t::H5S_SELECT_SET;
        // SAFETY: the lock is held; the three have as many entries as the space has axes.
        self.check(unsafe {
            h5s::H5Sselect_hyperslab(space.0, set, start.as_ptr(), step.as_ptr(), count.as_ptr(), null())
        })
    }

    pub fn dataset_space(&self, dataset: &Id) -> Outcome<Id> {
        // SAFETY: the lock is held, the id is open.
        self.id(unsafe { h5d::H5Dget_space(dataset.0) })
    }

    pub fn dataset_type(&self, dataset: &Id) -> Outcome<Id> {
        // SAFETY: the lock is held, the id is open.
        self.id(unsafe { h5d::H5Dget_type(dataset.0) })
    }

    /// Reads the selected elements into `out`.
    pub fn read(&self, dataset: &Id, memory: &Id, spaces: (&Id, &Id), out: &mut [u8]) -> Outcome<()> {
        self.fits(memory, spaces.0, out.len())?;
        // SAFETY: the lock is held; `out` was checked to have room for the elements of the memory space.
        self.check(unsafe {
            h5d::H5Dread(dataset.0, memory.0, spaces.0.0, spaces.1.0, h5p::H5P_DEFAULT, out.as_mut_ptr().cast())
        })
    }

    /// Writes `elements` to the selection.
    pub fn write(&self, dataset: &Id, memory: &Id, spaces: (&Id, &Id), elements: &[u8]) -> Outcome<()> {
        self.fits(memory, spaces.0, elements.len())?;
        // SAFETY: the lock is held; `elements` was checked to hold the elements of the memory space.
        self.check(unsafe {
            h5d::H5Dwrite(dataset.0, memory.0, spaces.0.0, spaces.1.0, h5p::H5P_DEFAULT, elements.as_ptr().cast())
        })
    }

    /// Whether `len` bytes are the elements of a memory space, which is never narrowed.
    fn fits(&self, memory: &Id, space: &Id, len: usize) -> Outcome<()> {
        // SAFETY: the lock is held, the ids are open.
        let (size, points) = unsafe { (h5t::H5Tget_size(memory.0), h5s::H5Sget_simple_extent_npoints(space.0)) };
        match usize::try_from(points).ok().and_then(|n| n.checked_mul(size)) {
            Some(bytes) if bytes == len => Ok(()),
            _ => Err("the elements do not fit the buffer".into()),
        }
    }
}
