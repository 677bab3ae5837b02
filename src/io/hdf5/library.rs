//! The door to libhdf5. The library is not thread-safe: a [`Library`] is proof that this thread holds the one lock that all
//! users of `hdf5-sys` share, and every call goes through it. Nothing here keeps the lock across calls of the public API,
//! and no read-only file stays open when the lock is given back, so that a file can be read and written in one graph.

use hdf5_sys::h5::{herr_t, hsize_t};
use hdf5_sys::h5i::{H5Idec_ref, hid_t};
use hdf5_sys::{h5a, h5d, h5f, h5l, h5p, h5r, h5s, h5t};
use std::ffi::{CStr, CString, c_char, c_void};
use std::marker::PhantomData;
use std::os::fd::BorrowedFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
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

/// An open object of the library, closed when dropped.
pub struct Id(hid_t);

impl Id {
    pub fn raw(&self) -> hid_t {
        self.0
    }
}

impl Drop for Id {
    fn drop(&mut self) {
        let _lock = hdf5_sys::LOCK.lock();
        // SAFETY: the lock is held, and the id is this handle's to give back.
        unsafe { H5Idec_ref(self.0) };
    }
}

/// What a name in a group leads to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Group,
    Dataset,
    /// A committed datatype.
    Datatype,
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
        if id > 0 { Ok(Id(id)) } else { Err(self.failure("the library gave no reason")) }
    }

    pub fn check(&self, status: herr_t) -> Outcome<()> {
        if status >= 0 { Ok(()) } else { Err(self.failure("the library gave no reason")) }
    }

    fn truth(&self, answer: i32) -> Outcome<bool> {
        self.check(answer).map(|()| answer > 0)
    }

    pub fn open_file(&self, path: &Path, write: bool) -> Outcome<Id> {
        let path = CString::new(path.as_os_str().as_bytes()).map_err(|_| Failure::from("a NUL in the path"))?;
        let flags = if write { h5f::H5F_ACC_RDWR } else { h5f::H5F_ACC_RDONLY };
        // SAFETY: the lock is held; the path is a C string.
        let file = self.id(unsafe { h5f::H5Fopen(path.as_ptr(), flags, h5p::H5P_DEFAULT) })?;
        self.keep_to_ourselves(&file);
        Ok(file)
    }

    /// Makes a file that does not exist yet.
    pub fn create_file(&self, path: &Path) -> Outcome<Id> {
        let path = CString::new(path.as_os_str().as_bytes()).map_err(|_| Failure::from("a NUL in the path"))?;
        // SAFETY: as `open_file`.
        let file =
            self.id(unsafe { h5f::H5Fcreate(path.as_ptr(), h5f::H5F_ACC_EXCL, h5p::H5P_DEFAULT, h5p::H5P_DEFAULT) })?;
        self.keep_to_ourselves(&file);
        Ok(file)
    }

    /// The library locks the files it opens. A program started meanwhile would inherit the descriptor, and keep the lock after
    /// the file is closed here.
    fn keep_to_ourselves(&self, file: &Id) {
        let mut handle: *mut c_void = null_mut();
        // SAFETY: the lock is held, the id is open; the default driver's handle is a descriptor, which stays open meanwhile.
        unsafe {
            if h5f::H5Fget_vfd_handle(file.0, h5p::H5P_DEFAULT, &mut handle) >= 0 && !handle.is_null() {
                let descriptor = BorrowedFd::borrow_raw(*handle.cast::<i32>());
                // Where that fails the file can still be used.
                let _ = rustix::io::fcntl_setfd(descriptor, rustix::io::FdFlags::CLOEXEC);
            }
        }
    }

    /// Writes what the library holds in memory; does nothing for a file opened for reading only.
    pub fn flush(&self, file: &Id) -> Outcome<()> {
        // SAFETY: the lock is held, the id is open.
        self.check(unsafe { h5f::H5Fflush(file.0, h5f::H5F_SCOPE_LOCAL) })
    }

    /// Size of addresses, size of lengths, and where address 0 is in the file.
    pub fn file_format(&self, file: &Id) -> Outcome<(usize, usize, u64)> {
        let (mut address, mut length, mut user) = (0, 0, 0);
        // SAFETY: the lock is held, the ids are open, the pointers are to live variables.
        unsafe {
            let plist = self.id(h5f::H5Fget_create_plist(file.0))?;
            self.check(h5p::H5Pget_sizes(plist.0, &mut address, &mut length))?;
            self.check(h5p::H5Pget_userblock(plist.0, &mut user))?;
        }
        Ok((address, length, user))
    }

    /// Opens a group, dataset or committed datatype.
    pub fn open_object(&self, place: &Id, name: &CStr) -> Outcome<(Id, Kind)> {
        use hdf5_sys::h5i::{H5I_type_t, H5Iget_type};
        // SAFETY: the lock is held, the id is open, the name is a C string.
        unsafe {
            let id = self.id(hdf5_sys::h5o::H5Oopen(place.0, name.as_ptr(), h5p::H5P_DEFAULT))?;
            match H5Iget_type(id.0) {
                H5I_type_t::H5I_GROUP => Ok((id, Kind::Group)),
                H5I_type_t::H5I_DATASET => Ok((id, Kind::Dataset)),
                H5I_type_t::H5I_DATATYPE => Ok((id, Kind::Datatype)),
                _ => Err("an object of a kind this library does not know".into()),
            }
        }
    }

    /// Whether the last part of `name` is a link; the parts before must lead to a group.
    pub fn link_exists(&self, place: &Id, name: &CStr) -> Outcome<bool> {
        // SAFETY: as `open_object`.
        self.truth(unsafe { h5l::H5Lexists(place.0, name.as_ptr(), h5p::H5P_DEFAULT) })
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

    /// The file that an object lies in, which an external link may have led to.
    pub fn home(&self, object: &Id) -> Outcome<(Id, PathBuf)> {
        // SAFETY: the lock is held, the ids are open; the buffer has the length that was asked for plus a NUL.
        unsafe {
            let file = self.id(hdf5_sys::h5i::H5Iget_file_id(object.0))?;
            let len = h5f::H5Fget_name(file.0, null_mut(), 0);
            let len = usize::try_from(len).map_err(|_| self.failure("a file without a name"))?;
            let mut name = vec![0u8; len + 1];
            h5f::H5Fget_name(file.0, name.as_mut_ptr().cast(), name.len());
            name.truncate(len);
            Ok((file, PathBuf::from(std::ffi::OsString::from_vec(name))))
        }
    }

    /// The address of the object's header, from the base of the file.
    pub fn address(&self, object: &Id) -> Outcome<u64> {
        let kind = <hdf5::ObjectReference1 as hdf5::ObjectReference>::REF_TYPE;
        let mut address: h5r::hobj_ref_t = 0;
        // SAFETY: an object reference is the address of the object, eight bytes, written to a live variable.
        self.check(unsafe { h5r::H5Rcreate((&raw mut address).cast(), object.0, c".".as_ptr(), kind, -1) })?;
        Ok(address)
    }

    /// Names of the links of a group, in the library's order by name.
    pub fn names(&self, group: &Id) -> Outcome<Vec<String>> {
        unsafe extern "C" fn keep(
            _: hid_t,
            name: *const c_char,
            _: *const h5l::H5L_info_t,
            all: *mut c_void,
        ) -> herr_t {
            // SAFETY: the library passes a C string and the pointer that `H5Literate` was given.
            unsafe {
                let all = &mut *all.cast::<Vec<String>>();
                all.push(CStr::from_ptr(name).to_string_lossy().into_owned());
            }
            0
        }
        let mut names: Vec<String> = Vec::new();
        let mut position = 0;
        // SAFETY: the lock is held; the vector outlives the call, which hands it to `keep` only.
        self.check(unsafe {
            h5l::H5Literate(
                group.0,
                hdf5_sys::h5::H5_INDEX_NAME,
                hdf5_sys::h5::H5_ITER_INC,
                &mut position,
                Some(keep),
                (&raw mut names).cast(),
            )
        })?;
        Ok(names)
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

    pub fn creation(&self, dataset: &Id) -> Outcome<Id> {
        // SAFETY: the lock is held, the id is open.
        self.id(unsafe { h5d::H5Dget_create_plist(dataset.0) })
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

    /// Number of attributes of an object.
    pub fn attribute_count(&self, object: &Id) -> usize {
        // SAFETY: the lock is held, the id is open.
        #[allow(deprecated)]
        let count = unsafe { h5a::H5Aget_num_attrs(object.0) };
        usize::try_from(count).unwrap_or(0)
    }

    /// The n-th attribute by name, and its name.
    pub fn attribute(&self, object: &Id, n: usize) -> Outcome<(String, Id)> {
        use hdf5_sys::h5::{H5_INDEX_NAME, H5_ITER_INC};
        // SAFETY: the lock is held, the id is open; the name buffer has the length that was asked for plus a NUL.
        unsafe {
            let id = self.id(h5a::H5Aopen_by_idx(
                object.0,
                c".".as_ptr(),
                H5_INDEX_NAME,
                H5_ITER_INC,
                n as hsize_t,
                h5p::H5P_DEFAULT,
                h5p::H5P_DEFAULT,
            ))?;
            let len = h5a::H5Aget_name(id.0, 0, null_mut());
            let len = usize::try_from(len).map_err(|_| self.failure("an attribute without a name"))?;
            let mut name = vec![0u8; len + 1];
            h5a::H5Aget_name(id.0, name.len(), name.as_mut_ptr().cast());
            name.truncate(len);
            Ok((String::from_utf8_lossy(&name).into_owned(), id))
        }
    }
}
