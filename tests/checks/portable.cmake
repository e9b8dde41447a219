# Checks that under SOURCE_DIR only platform/ names what is Linux's alone, and that there each
# linux_<stem>.c has a portable_<stem>.c that offers the same. Functions that glibc hides from
# POSIX programs need no mention: outside platform/ they do not compile.
cmake_minimum_required(VERSION 3.21)

set(headers "linux/.*" "asm/.*" "sys/epoll.h" "sys/eventfd.h" "sys/inotify.h" "sys/prctl.h"
            "sys/random.h" "sys/sendfile.h" "sys/signalfd.h" "sys/syscall.h" "sys/sysinfo.h"
            "sys/timerfd.h" "features.h" "malloc.h" "stdio_ext.h" "syscall.h")
set(words "__linux.*" "_GNU_SOURCE" "_DEFAULT_SOURCE" "MP_PORTABLE" "epoll_.*" "eventfd.*"
          "signalfd.*" "timerfd_.*" "inotify_.*" "pidfd_.*" "prctl" "prlimit" "syscall" "SYS_.*"
          "memfd_create" "getrandom" "gettid" "tgkill" "accept4" "pipe2" "dup3" "sendfile"
          "unshare" "setns" "mremap" "futex.*" "process_vm_.*" "sched_[gs]etaffinity"
          "SOCK_CLOEXEC" "SOCK_NONBLOCK" "MSG_CMSG_CLOEXEC" "SO_PEERCRED" "SCM_CREDENTIALS"
          "TCP_QUICKACK" "MAP_POPULATE" "MAP_NORESERVE" "MAP_HUGETLB" "MADV_.*" "F_OFD_.*"
          "F_SETPIPE_SZ" "O_PATH" "O_TMPFILE" "CLONE_.*" "CLOCK_BOOTTIME" "CLOCK_MONOTONIC_.*")
list(JOIN headers "|" headers)
list(JOIN words "|" words)

include(${CMAKE_CURRENT_LIST_DIR}/complaints.cmake)

# Without comments; brackets would disturb the lists.
function(read_code out file)
    file(READ ${SOURCE_DIR}/${file} text)
    string(REGEX REPLACE "/\\*[^*]*\\*+([^/*][^*]*\\*+)*/" " " text "${text}")
    string(REGEX REPLACE "[][;]" " ; " text "${text}")
    set(${out} "${text}" PARENT_SCOPE)
endfunction()

file(GLOB_RECURSE files RELATIVE ${SOURCE_DIR} ${SOURCE_DIR}/*.c ${SOURCE_DIR}/*.h)
list(FILTER files EXCLUDE REGEX "^platform/")
if(NOT files)
    message(FATAL_ERROR "no sources under ${SOURCE_DIR}")
endif()
foreach(file IN LISTS files)
    read_code(code ${file})
    string(REGEX MATCHALL "#[ \t]*include[ \t]*<(${headers})>" found "${code}")
    string(REGEX MATCHALL "[A-Za-z_][A-Za-z0-9_]*" named "${code}")
    list(FILTER named INCLUDE REGEX "^(${words})$")
    list(REMOVE_DUPLICATES named)
    string(REGEX MATCHALL "\"/(proc|sys)/[^\"]*\"" paths "${code}")
    foreach(match IN LISTS found named paths)
        complain("${file}: ${match} belongs to platform/")
    endforeach()
endforeach()

# The functions and variables that a file of the platform defines for others.
function(read_offers out file)
    set(offers)
    file(STRINGS ${SOURCE_DIR}/${file} lines REGEX "^[a-z].*mp__[a-z0-9_]+( =|\\()")
    foreach(line IN LISTS lines)
        if(NOT line MATCHES "^(static|extern|typedef) " AND line MATCHES "(mp__[a-z0-9_]+)( =|\\()")
            list(APPEND offers ${CMAKE_MATCH_1})
        endif()
    endforeach()
    list(SORT offers)
    set(${out} "${offers}" PARENT_SCOPE)
endfunction()

file(GLOB twins RELATIVE ${SOURCE_DIR}/platform ${SOURCE_DIR}/platform/linux_*.c
     ${SOURCE_DIR}/platform/portable_*.c)
list(TRANSFORM twins REPLACE "^(linux|portable)_" "")
list(REMOVE_DUPLICATES twins)
foreach(stem IN LISTS twins)
    foreach(way IN ITEMS linux portable)
        set(offers_of_${way})
        if(EXISTS ${SOURCE_DIR}/platform/${way}_${stem})
            read_offers(offers_of_${way} platform/${way}_${stem})
        else()
            complain("platform/: no ${way}_${stem}")
        endif()
    endforeach()
    foreach(name IN LISTS offers_of_linux offers_of_portable)
        if(NOT name IN_LIST offers_of_linux)
            complain("platform/linux_${stem} lacks ${name}")
        elseif(NOT name IN_LIST offers_of_portable)
            complain("platform/portable_${stem} lacks ${name}")
        endif()
    endforeach()
endforeach()

complaints_tell()
list(LENGTH files count)
list(LENGTH twins pairs)
message(STATUS "${count} files outside platform/ are portable; ${pairs} pairs in it offer the same")
